//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// fleetShape is how much software there is: 600,000 lines, or as many as five thousand terminals have.
type fleetShape struct {
	name                string
	terminals, programs int
}

const (
	fleetGroups = 5
	fleetRules  = 100 // of each group
	tailSpread  = 10  // so many times more products in the tail than one terminal has of it
)

func fleetFigures(ctx context.Context, b bench) error {
	return fleetPages(ctx, b, fleetShape{"fleet", 300, 2000})
}

func fleetWideFigures(ctx context.Context, b bench) error {
	return fleetPages(ctx, b, fleetShape{"fleet_wide", 5000, 300})
}

// fleetPages asks a real console for the pages about the whole fleet's software, as a browser does.
func fleetPages(ctx context.Context, b bench, shape fleetShape) error {
	c, err := newConsole(b, "127.0.0.1", "127.0.0.1")
	if err != nil {
		return err
	}
	defer c.close()
	if err := errors.Join(c.start(ctx), c.stop()); err != nil { // it makes its folder
		return err
	}
	b.say("%d terminals send %d programs each", shape.terminals, shape.programs)
	at, err := fillFleet(ctx, b, c, shape)
	if err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	idle, err := readMemory(c.pid())
	if err != nil {
		return err
	}
	first, _, err := c.ask(ctx, "/software", at.cookie, "tail-", 1)
	if err != nil {
		return err
	}
	b.figure(shape.name+"_first", ms(first[0]), "ms")
	for _, page := range at.pages() {
		if err := b.fleetPage(ctx, c, shape.name+"_"+page.name, page.path, page.holds, at.cookie); err != nil {
			return err
		}
	}
	busy, err := readMemory(c.pid())
	b.figure(shape.name+"_memory", busy.rss-idle.rss, "MB")
	return err
}

func (b bench) fleetPage(ctx context.Context, c *console, name, path, holds, cookie string) error {
	rounds := or(b.rounds, 20)
	from, err := cpuTime(c.pid())
	if err != nil {
		return err
	}
	times, size, err := c.ask(ctx, path, cookie, holds, rounds)
	if err != nil {
		return err
	}
	to, err := cpuTime(c.pid())
	b.figure(name+"_median", ms(times[len(times)/2]), "ms")
	b.figure(name+"_p95", ms(times[len(times)*95/100]), "ms")
	b.figure(name+"_cpu", ms(to-from)/float64(rounds+1), "ms")
	b.figure(name+"_size", float64(size)/1000, "kB")
	return err
}

// fleetPlace is where the filled fleet is looked at.
type fleetPlace struct {
	cookie  string
	program int64 // one that nobody has decided about
}

type fleetView struct{ name, path, holds string }

func (p fleetPlace) pages() []fleetView {
	return []fleetView{
		{"page", "/software", "tail-"}, {"page_40", "/software?page=40", "common-"}, {"group", "/software?group=group-1", "tail-"},
		{"undecided_list", "/software?list=undecided", "tail-"}, {"forbidden_list", "/software?list=forbidden", "tail-"},
		{"kind", "/software?kind=file", "tail-"}, {"source", "/software?source=local&group=group-2", "tail-"},
		{"search", "/software?q=tail-12", "tail-12"}, {"search_publisher", "/software?q=maker+3&group=group-1&list=undecided", "tail-"},
		{"queue", "/software/undecided", "tail-"}, {"queue_group", "/software/undecided?group=group-1", "tail-"},
		{"decide", fmt.Sprintf("/software/decide?group=group-1&action=allow&program=%d", p.program), "tail-"},
		{"product", "/software/product?name=common-10&publisher=Vendor+10", "common-10"}, {"control", "/policy/group-1/software", "group-1"},
		{"find", "/search?q=common-1", "common-1"}, {"csv", "/software.csv", "common-"}, {"csv_group", "/software.csv?group=group-1", "common-"},
	}
}

// fillFleet lets terminals send their lists through the store that the console uses; what the last of them cost is a figure.
func fillFleet(ctx context.Context, b bench, c *console, shape fleetShape) (at fleetPlace, err error) {
	db, err := store.Open(ctx, c.database(), time.UTC)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	now := time.Now()
	if err := fleetPolicies(ctx, db, now); err != nil {
		return at, err
	}
	var whole []time.Duration
	for i := range shape.terminals {
		if err := enrolInFleet(ctx, db, i, now); err != nil {
			return at, err
		}
		took, err := sendPrograms(ctx, db, i, fleetPrograms(shape, i), now.Add(time.Duration(i)*time.Second))
		if err != nil {
			return at, err
		}
		whole = append(whole, took)
	}
	b.figure(shape.name+"_snapshot", median(milliseconds(whole[max(0, len(whole)-100):])), "ms")
	if err := fleetChanges(ctx, b, db, shape, now.Add(24*time.Hour)); err != nil {
		return at, err
	}
	spreads, _, err := db.Fleet(ctx, "group-1")
	if err != nil {
		return at, err
	}
	i := slices.IndexFunc(spreads, func(sp store.Spread) bool { return sp.Program.Source == policy.SourceLocal })
	if i < 0 {
		return at, errors.New("nothing is undecided")
	}
	at.program = spreads[i].ID
	at.cookie, err = openSession(ctx, db, store.RoleAdmin, time.Now())
	return at, err
}

// fleetPolicies gives every group rules that are looked through for each program, and some that forbid.
func fleetPolicies(ctx context.Context, db *store.DB, now time.Time) error {
	for i := range fleetGroups {
		id := fmt.Sprintf("group-%d", i)
		control := policy.DefaultSoftware()
		for n := range fleetRules {
			control.Rules = append(control.Rules, policy.ProgramRule{ID: fmt.Sprintf("rule-%d", n), Name: policy.Text{JA: "規則"}, Action: policy.ActionAllow, Reason: "bench",
				Match: policy.ProgramMatch{Name: []string{fmt.Sprintf("tool-%d-*", n)}, Publisher: []string{fmt.Sprintf("Maker %d*", n)}}})
		}
		control.Rules = append(control.Rules, policy.ProgramRule{ID: "no", Name: policy.Text{JA: "禁止"}, Action: policy.ActionBlock, Reason: "bench",
			Match: policy.ProgramMatch{Publisher: []string{"maker 7", "maker 13"}}})
		if err := db.PutGroup(ctx, id, id, "bench", now); err != nil {
			return err
		}
		p := store.GroupPolicy{Group: id, By: "bench", Reason: "bench", Control: policy.Control{Mode: policy.ModeAudit}, Software: control}
		if _, err := db.PutGroupPolicy(ctx, p, 0, now); err != nil {
			return err
		}
	}
	return nil
}

func enrolInFleet(ctx context.Context, db *store.DB, i int, now time.Time) error {
	code, id := sha256.Sum256([]byte(fmt.Sprint("fleet", i))), fleetTerminal(i)
	return errors.Join(
		db.PutToken(ctx, store.Token{Hash: code, Group: fmt.Sprintf("group-%d", i%fleetGroups), Note: "bench", By: "bench", ExpiresAt: now.Add(time.Hour)}, now),
		db.Enroll(ctx, code, store.Terminal{ID: id, Name: "KT-" + id[1:], OS: "linux", Arch: "amd64"}, store.Certificate{Serial: id, Issued: now, Expires: now.Add(time.Hour)}, now))
}

func fleetTerminal(i int) string { return fmt.Sprintf("t%05d", i) }

// fleetPrograms is what a terminal has: most of it as all others, a tenth of that in one of four versions; the rest is out
// of a long tail, of which half came from no repository.
func fleetPrograms(shape fleetShape, i int) []policy.Program {
	common := shape.programs * 85 / 100
	tail := shape.programs - common
	list := make([]policy.Program, 0, shape.programs)
	for k := range common {
		p := policy.Program{ID: fmt.Sprintf("deb:common-%d:amd64", k), Kind: policy.ProgramDeb, Name: fmt.Sprintf("common-%d", k), Version: fmt.Sprintf("1:%d.2-1+deb12u1", k%40),
			Arch: "amd64", Publisher: fmt.Sprintf("Vendor %d", k%50), Source: policy.SourceRepository, Origin: "deb.example.lan bookworm"}
		if k%10 == 0 {
			p.Version = fmt.Sprintf("1:%d.%d-1", k%40, (i+k)%4)
		}
		list = append(list, p)
	}
	for j := range tail {
		list = append(list, tailProgram((i*7+j*11)%(tail*tailSpread)))
	}
	return list
}

func tailProgram(k int) policy.Program {
	p := policy.Program{ID: fmt.Sprintf("app:tail-%d", k), Kind: policy.ProgramApp, Name: fmt.Sprintf("tail-%d", k), Version: fmt.Sprint(k%9, ".0"),
		Publisher: fmt.Sprintf("Maker %d", k%60), Source: policy.SourceLocal, Path: fmt.Sprintf(`C:\Program Files\Tail %d`, k)}
	switch k % 4 {
	case 0, 1:
		p.Source, p.Origin = policy.SourceRepository, "deb.example.lan extras"
	case 2:
		sum := sha256.Sum256([]byte(p.ID))
		p.Kind, p.Source, p.Version, p.Publisher, p.Hash, p.Path = policy.ProgramFile, policy.SourceNone, "", "", hex.EncodeToString(sum[:]), fmt.Sprintf("/opt/tail/%d", k)
	}
	return p
}

// sendPrograms sends a terminal's whole list in as many steps as it needs, one request each.
func sendPrograms(ctx context.Context, db *store.DB, i int, programs []policy.Program, now time.Time) (time.Duration, error) {
	sh, steps := wire.Sheet{Name: wire.SheetSoftware}, []wire.Sheet{}
	for n, p := range programs {
		it, err := programItem(p)
		if err != nil {
			return 0, err
		}
		sh.Set, sh.To = append(sh.Set, it), sh.To.Mix(it)
		if len(sh.Set) == wire.MaxSheetStep/2 || n == len(programs)-1 {
			sh.More = n < len(programs)-1
			steps, sh = append(steps, sh), wire.Sheet{Name: sh.Name, From: sh.To, To: sh.To}
		}
	}
	begun := time.Now()
	for _, step := range steps {
		if err := sendStep(ctx, db, i, step, now); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

func sendStep(ctx context.Context, db *store.DB, i int, step wire.Sheet, now time.Time) error {
	answer, err := db.AddEvents(ctx, fleetTerminal(i), wire.EventsRequest{Version: wire.Version, Sheets: []wire.Sheet{step}}, now)
	if err == nil && answer.Sheets[wire.SheetSoftware] != step.To {
		err = errors.New("the console did not take the list")
	}
	return err
}

func programItem(p policy.Program) (wire.Item, error) {
	body, err := json.Marshal(p)
	return wire.Item{ID: p.ID, Body: body}, err
}

// fleetChanges: each of some terminals installs one program more, renews one, and then sends its whole list again.
func fleetChanges(ctx context.Context, b bench, db *store.DB, shape fleetShape, now time.Time) error {
	var one, renewed, again []time.Duration
	for i := range min(shape.terminals, 50) {
		programs := fleetPrograms(shape, i)
		took, err := changeOne(ctx, db, i, programs, policy.Program{ID: "deb:one-more", Kind: policy.ProgramDeb, Name: "common-more", Version: "1.0", Publisher: "Vendor 1", Source: policy.SourceRepository}, now)
		if err != nil {
			return err
		}
		one = append(one, took)
		programs = append(programs, policy.Program{ID: "deb:one-more", Kind: policy.ProgramDeb, Name: "common-more", Version: "1.0", Publisher: "Vendor 1", Source: policy.SourceRepository})
		newer := programs[1]
		newer.Version = "1:99.0-1"
		if took, err = changeOne(ctx, db, i, programs, newer, now); err != nil {
			return err
		}
		renewed, programs[1] = append(renewed, took), newer
		if took, err = sendPrograms(ctx, db, i, programs, now); err != nil {
			return err
		}
		again = append(again, took)
	}
	b.figure(shape.name+"_install", median(milliseconds(one)), "ms")
	b.figure(shape.name+"_renew", median(milliseconds(renewed)), "ms")
	b.figure(shape.name+"_again", median(milliseconds(again)), "ms")
	return nil
}

func changeOne(ctx context.Context, db *store.DB, i int, had []policy.Program, p policy.Program, now time.Time) (time.Duration, error) {
	sh := wire.Sheet{Name: wire.SheetSoftware}
	for _, old := range had {
		it, err := programItem(old)
		if err != nil {
			return 0, err
		}
		sh.From = sh.From.Mix(it)
	}
	it, err := programItem(p)
	if err != nil {
		return 0, err
	}
	sh.To, sh.Set = sh.From.Mix(it), []wire.Item{it}
	if n := slices.IndexFunc(had, func(old policy.Program) bool { return old.ID == p.ID }); n >= 0 {
		old, err := programItem(had[n])
		if err != nil {
			return 0, err
		}
		sh.To = sh.To.Mix(old)
	}
	begun := time.Now()
	err = sendStep(ctx, db, i, sh, now)
	return time.Since(begun), err
}

func milliseconds(times []time.Duration) (all []float64) {
	for _, t := range times {
		all = append(all, ms(t))
	}
	return all
}
