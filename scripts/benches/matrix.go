//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// The fleet whose checks are looked at.
const (
	matrixTerminals = 5000
	matrixChecks    = 20
	codeUses        = 1000 // terminals that one enrolment code lets in
)

// matrixFigures asks a real console for the page of terminals × checks, as a browser does.
func matrixFigures(ctx context.Context, b bench) error {
	c, err := newConsole(b, "127.0.0.1", "127.0.0.1")
	if err != nil {
		return err
	}
	defer c.close()
	if err := errors.Join(c.start(ctx), c.stop()); err != nil { // it makes its folder
		return err
	}
	b.say("%d terminals report %d checks each", matrixTerminals, matrixChecks)
	cookie, err := fillChecks(ctx, c)
	if err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	for _, page := range []struct{ name, path string }{
		{"matrix_page", "/health?area=all"}, {"matrix_fresh", "/health"}, {"matrix_filtered", "/health?area=all&check=antivirus.patterns&result=fail"}, {"matrix_csv", "/health.csv?area=all"},
	} {
		rounds := or(b.rounds, 30)
		from, err := cpuTime(c.pid())
		if err != nil {
			return err
		}
		times, size, err := c.ask(ctx, page.path, cookie, "KT-0", rounds)
		if err != nil {
			return err
		}
		to, err := cpuTime(c.pid())
		if err != nil {
			return err
		}
		b.figure(page.name+"_cpu", ms(to-from)/float64(rounds+1), "ms")
		b.figure(page.name+"_median", ms(times[len(times)/2]), "ms")
		b.figure(page.name+"_p95", ms(times[len(times)*95/100]), "ms")
		b.figure(page.name+"_size", float64(size)/1000, "kB")
	}
	return nil
}

// fillChecks puts terminals with their sheets and somebody's session into the database, through the store that the console uses.
func fillChecks(ctx context.Context, c *console) (cookie string, err error) {
	db, err := store.Open(ctx, c.database(), time.UTC)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	now := time.Now()
	var code [32]byte
	for i := range matrixTerminals {
		if i%codeUses == 0 {
			code = sha256.Sum256([]byte(fmt.Sprint("matrix", i)))
			if err := db.PutToken(ctx, store.Token{Hash: code, Group: "default", Uses: codeUses, Note: "bench", By: "bench", ExpiresAt: now.Add(time.Hour)}, now); err != nil {
				return "", err
			}
		}
		id := fmt.Sprintf("t%05d", i)
		t := store.Terminal{ID: id, Name: fmt.Sprintf("KT-%05d", i), OS: "linux", Arch: "amd64"}
		if err := db.Enroll(ctx, code, t, store.Certificate{Serial: id, Issued: now, Expires: now.Add(time.Hour)}, now); err != nil {
			return "", err
		}
		if _, err := db.AddEvents(ctx, id, wire.EventsRequest{Version: wire.Version, Sheets: []wire.Sheet{checkSheet(i, now)}}, now); err != nil {
			return "", err
		}
	}
	return openSession(ctx, db, store.RoleAuditor, now)
}

// checkSheet is a terminal's results: most pass, some do not in each of the ways there are.
func checkSheet(n int, now time.Time) wire.Sheet {
	sh := wire.Sheet{Name: wire.SheetHealth}
	for i, info := range policy.Catalogue()[:matrixChecks] {
		r := policy.CheckResult{Check: info.ID, Result: policy.ResultPass, Value: "true", Want: "true", Source: "/etc/example", Product: "Example 1.0", Since: now.Add(-time.Hour)}
		switch (n*7 + i*3) % 11 {
		case 0:
			r.Result, r.Code, r.Stage = policy.ResultFail, policy.CodeBehind, policy.StageViolation
		case 1:
			r.Result, r.Code = policy.ResultUnknown, policy.CodeTimeout
		case 2:
			r.Result, r.Code = policy.ResultNotApplicable, policy.CodeAbsent
		}
		body, err := json.Marshal(r)
		if err != nil {
			panic(err) // a type of our own
		}
		it := wire.Item{ID: info.ID, Body: body}
		sh.Set, sh.To = append(sh.Set, it), sh.To.Mix(it)
	}
	return sh
}

func openSession(ctx context.Context, db *store.DB, role string, now time.Time) (string, error) {
	if err := db.PutAccount(ctx, store.Account{Name: "bench", Role: role, Language: "ja", CreatedAt: now}, "bench", now); err != nil {
		return "", err
	}
	a, err := db.Account(ctx, "bench")
	if err != nil {
		return "", err
	}
	b := make([]byte, 32)
	rand.Read(b)
	secret := hex.EncodeToString(b)
	return secret, db.PutSession(ctx, store.Session{Hash: sha256.Sum256([]byte(secret)), Account: a, CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(time.Hour)}, now)
}

// ask fetches a page, which must hold a text, so often over one connection, and gives the times in order and the size of
// one answer.
func (c *console) ask(ctx context.Context, path, cookie, holds string, rounds int) (times []time.Duration, size int, err error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for n := range rounds + 1 {
		req, err := http.NewRequestWithContext(ctx, "GET", c.people+path, nil)
		if err != nil {
			return nil, 0, err
		}
		req.AddCookie(&http.Cookie{Name: "__Host-sekisho", Value: cookie})
		begun := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			return nil, 0, err
		}
		text, err := io.ReadAll(resp.Body)
		took := time.Since(begun)
		resp.Body.Close()
		if err != nil {
			return nil, 0, err
		}
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), holds) {
			return nil, 0, fmt.Errorf("%s answered %d, without %q", path, resp.StatusCode, holds)
		}
		if n > 0 { // the first opens the connection
			times, size = append(times, took), len(text)
		}
	}
	slices.Sort(times)
	return times, size, nil
}
