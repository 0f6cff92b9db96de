//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// The past that a draft is tried against: so many terminals recorded so many events about so many different programs.
const (
	whatifEvents    = 1_000_000
	whatifTerminals = 200
	whatifPrograms  = 3000
	whatifRules     = 200
)

// whatifFigures: how long the console needs to say what a draft would have done about a million recorded events.
func whatifFigures(ctx context.Context, b bench) error {
	c, err := newConsole(b, "127.0.0.1", "127.0.0.1")
	if err != nil {
		return err
	}
	defer c.close()
	if err := errors.Join(c.start(ctx), c.stop()); err != nil { // makes keys, schema and the first group
		return err
	}
	b.say("writing %d events of %d terminals about %d programs", whatifEvents, whatifTerminals, whatifPrograms)
	secret, err := fillPast(ctx, c)
	if err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	before, err := readMemory(c.pid())
	if err != nil {
		return err
	}
	took, answer, most, err := c.dryRun(ctx, secret)
	if err != nil {
		return err
	}
	b.say("%d events looked at, %d programs judged, %d would have been stopped on %d terminals", answer.Events, answer.Judged, answer.Programs, answer.Terminals)
	if answer.Events != whatifEvents || answer.Programs == 0 {
		return fmt.Errorf("the console looked at %d events and found %d programs", answer.Events, answer.Programs)
	}
	b.figure("whatif_1000000", took.Seconds(), "s")
	b.figure("whatif_memory", most-before.rss, "MB")
	return nil
}

// fillPast writes programs' records as terminals would send them, a draft, and an account's API token.
func fillPast(ctx context.Context, c *console) (secret string, err error) {
	db, err := store.Open(ctx, c.database(), time.UTC)
	if err != nil {
		return "", err
	}
	defer db.Close()
	now := time.Now()
	if secret, err = apiToken(ctx, db, now); err != nil {
		return "", err
	}
	if err := db.PutDraft(ctx, store.Draft{Group: "default", BasedOn: 1, Software: whatifDraft(), By: "bench"}, now); err != nil {
		return "", err
	}
	return secret, each(whatifTerminals, 8, func(i int) error { return onePast(ctx, db, i, now) })
}

func onePast(ctx context.Context, db *store.DB, i int, now time.Time) error {
	id, code := fmt.Sprintf("past-%04d", i), sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	err := errors.Join(
		db.PutToken(ctx, store.Token{Hash: code, Group: "default", By: "bench", ExpiresAt: now.Add(time.Hour)}, now),
		db.Enroll(ctx, code, store.Terminal{ID: id, Name: id, OS: "linux"}, store.Certificate{Serial: id, Issued: now, Expires: now.Add(time.Hour)}, now))
	var prev wire.Hash
	for seq := 0; seq < whatifEvents/whatifTerminals && err == nil; seq += wire.MaxEntries {
		req := wire.EventsRequest{Version: wire.Version, Outbox: "outbox-" + id, First: uint64(seq + 1), Prev: prev}
		for n := range wire.MaxEntries {
			body, err := json.Marshal(pastRecord(i, seq+n, now))
			if err != nil {
				return err
			}
			prev = wire.Chain(prev, uint64(seq+n+1), body)
			req.Entries = append(req.Entries, wire.Entry{Hash: prev, Body: body})
		}
		_, err = db.AddEvents(ctx, id, req, now)
	}
	return err
}

// pastRecord is one start of one of the programs; most of what runs is the same everywhere.
func pastRecord(terminal, n int, now time.Time) wire.Record {
	k := (n*7919 + terminal*31) % whatifPrograms
	sum := sha256.Sum256([]byte{byte(k), byte(k >> 8)})
	p := policy.Program{ID: fmt.Sprintf("file:/opt/vendor%d/bin/program-%d", k%50, k), Kind: policy.ProgramFile, Name: fmt.Sprintf("program-%d", k), Source: policy.SourceNone,
		Publisher: fmt.Sprintf("Vendor %d", k%50), Path: fmt.Sprintf("/opt/vendor%d/bin/program-%d", k%50, k), Hash: hex.EncodeToString(sum[:]), Size: int64(100_000 + k)}
	at := now.Add(-time.Duration(n) * time.Minute)
	return wire.Record{Kind: wire.RecordProgram, At: at, Outcome: policy.OutcomeAudit, Revision: 2,
		Software: &policy.ProgramEvent{What: policy.ProgramRun, Program: p, SeenAt: at, User: fmt.Sprintf("user%d", terminal), Parent: "/usr/bin/bash"},
		Decision: &policy.Decision{Action: policy.ActionReport, Mode: policy.ModeAudit, Rule: policy.RuleUndecided, Revision: 2},
		Steps:    []wire.Step{{At: at, Code: "seen", OK: true}, {At: at, Code: "decided", Detail: policy.RuleUndecided, OK: true}}}
}

// whatifDraft has rules of every kind that must be looked through, and forbids two vendors.
func whatifDraft() *policy.Software {
	s := policy.DefaultSoftware()
	for i := range whatifRules {
		s.Rules = append(s.Rules, policy.ProgramRule{ID: fmt.Sprintf("rule-%d", i), Name: policy.Text{JA: "規則"}, Action: policy.ActionAllow,
			Match: policy.ProgramMatch{Name: []string{fmt.Sprintf("tool-%d-*", i)}, Publisher: []string{fmt.Sprintf("Maker %d*", i)}}})
	}
	s.Rules = append(s.Rules, policy.ProgramRule{ID: "no", Name: policy.Text{JA: "禁止"}, Action: policy.ActionBlock,
		Match: policy.ProgramMatch{Publisher: []string{"vendor 7", "vendor 13"}}})
	return s
}

func apiToken(ctx context.Context, db *store.DB, now time.Time) (string, error) {
	secret := rand.Text()
	a := store.Account{Name: "bench", Role: store.RoleAdmin, Language: "en", Theme: "auto", Hash: "none", CreatedAt: now}
	if err := db.PutAccount(ctx, a, "bench", now); err != nil {
		return "", err
	}
	a, err := db.Account(ctx, a.Name)
	if err != nil {
		return "", err
	}
	return secret, db.PutSession(ctx, store.Session{Hash: sha256.Sum256([]byte(secret)), Account: a, API: true, Role: a.Role, Note: "bench",
		CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(time.Hour)}, now)
}

type dryRunAnswer struct {
	Events, Judged      int64
	Programs, Terminals int
}

// dryRun presses the button as a program does, and asks until the answer is there; most is the most memory meanwhile, in MB.
func (c *console) dryRun(ctx context.Context, secret string) (took time.Duration, answer dryRunAnswer, most float64, err error) {
	var begun struct {
		Location string `json:"location"`
	}
	from := time.Now()
	if err = c.call(ctx, "POST", "/policy/default/software/dryrun", secret, &begun); err != nil {
		return
	}
	for {
		var p struct {
			Body struct {
				State  string        `json:"state"`
				Answer *dryRunAnswer `json:"answer"`
			} `json:"body"`
		}
		if err = c.call(ctx, "GET", begun.Location, secret, &p); err != nil {
			return
		}
		m, errMemory := readMemory(c.pid())
		if most = max(most, m.rss); errMemory != nil {
			return took, answer, most, errMemory
		}
		switch {
		case p.Body.Answer != nil:
			return time.Since(from), *p.Body.Answer, most, nil
		case p.Body.State != store.RunRunning:
			return took, answer, most, fmt.Errorf("the dry run is %s: %s", p.Body.State, c.log.String())
		case time.Since(from) > 5*time.Minute:
			return took, answer, most, errors.New("the dry run does not end")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *console) call(ctx context.Context, method, path, secret string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.people+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %w %.200s", method, path, res.StatusCode, err, body.String())
	}
	return json.Unmarshal(body.Bytes(), into)
}
