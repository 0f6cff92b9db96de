package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// interview asks at most three questions. What cannot be used is explained and asked again; nothing is kept before
// everything is answered.
type interview struct {
	in     io.Reader
	out    io.Writer
	words  setupWords
	lookUp func(ctx context.Context, name string) error
	lines  chan answer
}

// answer is one line that was typed, or why there is none.
type answer struct {
	text string
	err  error
}

// maxAnswer bounds a line in bytes.
const maxAnswer = 4096

// lookUpLimit is how long the name service is waited for.
const lookUpLimit = 3 * time.Second

// hold asks what a does not answer yet.
func (q interview) hold(ctx context.Context, a answers, names, contact bool) (answers, error) {
	names, name, phone := names && len(a.names) == 0, contact && a.contact.Name == "", contact && a.contact.Phone == ""
	asked := []func() error{}
	if names {
		asked = append(asked, func() (err error) { a.names, err = q.names(ctx); return err })
	}
	if name {
		asked = append(asked, func() (err error) {
			a.contact.Name, err = q.contact(ctx, q.words.askContact, "contact.name")
			return err
		})
	}
	if phone {
		asked = append(asked, func() (err error) {
			a.contact.Phone, err = q.contact(ctx, q.words.askPhone, "contact.phone")
			return err
		})
	}
	if len(asked) == 0 {
		return a, nil
	}
	q.lines = make(chan answer)
	go q.read(ctx)
	fmt.Fprintf(q.out, q.words.hello, len(asked))
	for i, ask := range asked {
		fmt.Fprintf(q.out, "\n[%d/%d] ", i+1, len(asked))
		if err := ask(); err != nil {
			return answers{}, err
		}
	}
	return a, nil
}

// read hands over line by line, so that somebody who presses Ctrl-C is not kept waiting for the next one.
func (q interview) read(ctx context.Context) {
	lines := bufio.NewScanner(q.in)
	lines.Buffer(make([]byte, 0, 256), maxAnswer)
	for {
		next := answer{err: io.EOF}
		if lines.Scan() {
			next = answer{text: strings.TrimSpace(lines.Text())}
		} else if err := lines.Err(); err != nil {
			next.err = err
		}
		select {
		case q.lines <- next:
		case <-ctx.Done():
			return
		}
		if next.err != nil {
			return
		}
	}
}

func (q interview) line(ctx context.Context) (string, error) {
	select {
	case <-ctx.Done():
		fmt.Fprintln(q.out)
		return "", errors.New("cannot set up: interrupted; no answer was kept")
	case a := <-q.lines:
		if a.err == nil {
			return a.text, nil
		}
		fmt.Fprintln(q.out)
		return "", hint(fmt.Errorf("cannot set up: the questions were not answered (%w); no answer was kept", a.err),
			"answer at a terminal, or give --name, --contact, --phone and --yes")
	}
}

func (q interview) names(ctx context.Context) ([]string, error) {
	own := firstOwnName()
	for {
		fmt.Fprintf(q.out, q.words.askName, own)
		text, err := q.line(ctx)
		if err != nil {
			return nil, err
		}
		if text == "" {
			text = own
		}
		names, err := readNames(text)
		if err != nil {
			fmt.Fprint(q.out, q.words.badName)
			continue
		}
		q.warn(ctx, names[0])
		return names, nil
	}
}

// warn says what will not work with a name, which may be meant so: on one machine, or before the name service knows it.
func (q interview) warn(ctx context.Context, name string) {
	if ip := net.ParseIP(name); name == "localhost" || ip != nil && ip.IsLoopback() {
		fmt.Fprintf(q.out, q.words.onlyHere, name)
		return
	} else if ip != nil {
		return
	}
	ctx, stop := context.WithTimeout(ctx, lookUpLimit)
	defer stop()
	if q.lookUp(ctx, name) != nil {
		fmt.Fprintf(q.out, q.words.noAddress, name)
	}
}

func (q interview) contact(ctx context.Context, question, field string) (string, error) {
	for {
		fmt.Fprint(q.out, question)
		text, err := q.line(ctx)
		if err != nil {
			return "", err
		}
		c := policy.Contact{Name: text}
		if field == "contact.phone" {
			c = policy.Contact{Phone: text}
		}
		wrong := contactProblem(c)
		if wrong.JA == "" {
			return text, nil
		}
		fmt.Fprintf(q.out, "  → %s\n", wrong.In(q.words.lang))
	}
}

// firstOwnName is the default for the first question.
func firstOwnName() string {
	if host, err := os.Hostname(); err == nil && isHost(strings.ToLower(host)) {
		return strings.ToLower(host)
	}
	return ownNames()[0]
}
