//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// click posts a form to the console, as a browser that has the page open, and waits until the stick can be read. It runs on
// the terminal itself so that one clock sees both ends.
func click(ctx context.Context, url, token, form string) (took, error) {
	// The lab's own console, of a CA that this program has not met.
	client := &http.Client{Timeout: 20 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if err := send(ctx, client, http.MethodGet, url[:strings.LastIndex(url, "/")], token, ""); err != nil { // the connection stands, as in a browser
		return took{}, err
	}
	if err := blocked(); err != nil {
		return took{}, err
	}
	begun := time.Now()
	answered := make(chan error, 1)
	var acted int64
	go func() {
		err := send(ctx, client, http.MethodPost, url, token, form)
		acted = time.Since(begun).Nanoseconds()
		answered <- err
	}()
	n, err := usable(ctx, begun)
	if sent := <-answered; sent != nil {
		return took{}, sent
	}
	return took{Usable: n, Acted: acted}, err
}

func send(ctx context.Context, c *http.Client, method, url, token, form string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := c.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode >= 400 {
		return fmt.Errorf("the console answers %s: %.300s", answer.Status, text)
	}
	return err
}
