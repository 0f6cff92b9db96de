package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce"
	"sekisho/agent/link"
	"sekisho/agent/local"
	"sekisho/agent/outbox"
	"sekisho/agent/sensor"
	"sekisho/agent/sensor/archive"
	"sekisho/agent/sensor/software"
	"sekisho/agent/sheet"
	"sekisho/agent/update"
	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

const defaultSocket = local.SocketPath

// agentOptions is what `run` was told.
type agentOptions struct {
	config  config
	root    string
	socket  string
	observe bool
	getenv  func(string) string
	woken   <-chan struct{} // the machine slept, or somebody signed in or out; may be nil
	log     zerolog.Logger
}

// agent is one run of the service, in pipeline order: eyes, head, hands, memory, voice.
type agent struct {
	agentOptions
	noting     sync.Mutex // guards boot, but for its Boot, which never changes
	boot       bootNote
	clock      *clock
	hand       hand
	gate       gate
	programs   programGate
	archives   archive.Reader
	sources    sources
	memory     *memory
	journal    *journal
	chronicler *chronicler
	look       chan struct{} // the eyes are to look again
	teller     *local.Teller
	guard      *guard
	closeLog   func()
	identity   link.Identity
	voice      voice
	updater    *update.Updater
	sheets     *sheet.Keeper
	inventory  *inventory
	packages   *software.Packages
	checkup    *checkup
	shedding   *shedding
	separator  *separator
}

// guardTerminal runs the agent until ctx ends.
func guardTerminal(ctx context.Context, o agentOptions) error {
	a := &agent{agentOptions: o, look: make(chan struct{}, 1), shedding: newShedding(o.log)}
	first, err := a.open()
	if err != nil {
		return err
	}
	defer a.memory.Close()
	defer a.closeLog()
	a.assemble(first)
	return a.run(ctx)
}

// open reads what the agent before this one left, and gives the policy to begin with.
func (a *agent) open() (*policy.Policy, error) {
	dir := a.config.State
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make state folder: %w", err)
	}
	a.sweep(dir, filepath.Join(dir, "identity"), filepath.Join(dir, updateDir), filepath.Join(dir, "software"))
	tidyUpdate(dir)
	var ended, found string
	id := bootID(a.root)
	a.boot, ended = openBoot(dir, id)
	a.clock, found = openClock(dir, id, time.Now, sinceBoot)
	a.memory = newMemory(func() (*outbox.Outbox, error) {
		return outbox.Open(filepath.Join(dir, "outbox"), outbox.Options{Gap: a.gapBody, Log: a.log})
	})
	a.journal = newJournal(a.memory.Append, a.journalFault, a.clock.now, id, a.log)
	a.hand, a.gate = hand(onlooker{}), gate(noGate{})
	a.openLog()
	if !a.observe {
		eo := enforce.Options{Root: a.root, Log: a.log, Now: a.clock.now}
		a.hand, a.gate = enforce.New(eo), enforce.NewGate(eo)
	}
	a.put(startRecord(version, ended))
	if found != clockFine {
		a.journal.put(wire.Record{Kind: wire.RecordClock, Code: found, Note: "wall clock " + time.Now().UTC().Format(time.RFC3339)})
	}
	a.markRunning(true)
	return a.firstPolicy(), nil
}

// sweep takes away what writes that a power cut interrupted have left; litter harms nothing but the disk.
func (a *agent) sweep(dirs ...string) {
	for _, dir := range dirs {
		if err := durable.Sweep(dir, time.Now()); err != nil {
			a.log.Warn().Err(err).Msg("cannot sweep state folder")
		}
	}
}

func (a *agent) firstPolicy() *policy.Policy {
	saved, problem := a.savedPolicy()
	p, record := firstPolicy(saved, problem, a.gate.State())
	if record != nil {
		a.log.Warn().Err(problem).Str("mode", string(p.RemovableMedia.Mode)).Msg("no saved policy, judging by the built-in one")
		a.journal.put(*record)
	}
	return p
}

func (a *agent) savedPolicy() (*policy.Policy, error) {
	var err error
	if a.identity, err = link.Load(a.config.State); err != nil {
		return nil, err
	}
	return link.SavedPolicy(a.config.State, a.identity)
}

// assemble puts the guard in the middle.
func (a *agent) assemble(first *policy.Policy) {
	system := supervisor{a.getenv}
	a.teller = &local.Teller{Root: a.root, Log: a.log}
	a.guard = newGuard(guardOptions{
		Watch: a.watch, Hand: a.hand, Gate: a.gate,
		Journal: a.put, Tell: a.teller.Tell, Settled: a.settled, Published: a.published,
		Clock: a.clock, Policy: first, Boot: a.boot.Boot,
		Facts: a.facts(), Unsent: a.memory.Len, Update: func() *wire.Update { return a.updater.State() },
		User:  func() string { return sensor.User(sensor.Options{Root: a.root}) },
		Alive: func() { system.say("WATCHDOG=1") }, Watchdog: system.watchdog(),
		Log: a.log,
	})
	a.archives.Root, a.archives.Control = a.root, packageControl
	a.programs = programGate(openDoor{})
	if !a.observe {
		a.programs = a.newProgramGate()
	}
	a.chronicler.lang.Store(first.Language)
	a.takeStock()
	a.voice = voice{a: a, first: first.Revision}
	a.updater = a.newUpdater()
	a.updater.Offer(first.Update)
	a.checkup = a.newCheckup()
	a.separator = a.newSeparator()
	a.checkup.Judged = func() { ring(a.separator.poke) }
}

// settled passes on what a new policy says to others than the guard.
func (a *agent) settled(p *policy.Policy) {
	a.chronicler.lang.Store(p.Language)
	a.updater.Offer(p.Update)
	a.checkup.again()
}

// stock is where the programs are looked for, and where what was seen is kept.
func (o agentOptions) stock() software.Options {
	return software.Options{Root: o.root, Dir: filepath.Join(o.config.State, "software"), Log: o.log}
}

// takeStock makes what follows the programs on this terminal.
func (a *agent) takeStock() {
	a.sheets = sheet.Open(a.config.State, time.Now, a.log)
	look := a.stock()
	look.Busy = a.programs.Busy
	eyes := software.Open(look)
	a.packages = eyes.Packages()
	a.inventory = newInventory(eyes, a.guard, a.sheets, a.config.State, a.journal.queued, a.log)
	a.inventory.worked = a.shedding.worked
	a.inventory.after = func() { go a.installedNow(context.Background()) } // bounded by itself
}

// published passes on that programs may be judged otherwise than before.
func (a *agent) published(p *policy.Policy) {
	a.programs.Published(p)
	a.inventory.published()
}

// run starts everyone and, when ctx ends, stops them in the order in which they depend on each other:
// the guard speaks its last words, the journal writes them down.
func (a *agent) run(ctx context.Context) error {
	var writer, others sync.WaitGroup
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	writer.Go(func() { a.journal.run(writing) })
	others.Go(func() { a.voice.run(ctx) })
	others.Go(func() { a.answer(ctx) })
	others.Go(func() { a.shedding.run(ctx) })
	others.Go(func() { a.listen(ctx) })
	others.Go(func() { a.updater.Run(ctx) })
	others.Go(func() { a.inventory.run(ctx) })
	others.Go(func() { a.programs.Run(ctx) })
	others.Go(func() { a.checkup.run(ctx) })
	others.Go(func() { a.separator.run(ctx) })
	others.Go(func() {
		a.guard.status() // answered once the guard is at work
		supervisor{a.getenv}.say("READY=1\nSTATUS=guarding")
	})
	a.guard.run(ctx)
	supervisor{a.getenv}.say("STOPPING=1")
	others.Wait()
	a.put(wire.Record{Kind: wire.RecordAgent, Code: "stopped"})
	stopWriting()
	writer.Wait()
	a.markRunning(false)
	return nil
}

func (a *agent) eyes(system []string) sensor.Options {
	return sensor.Options{Root: a.root, Boot: a.boot.Boot, System: system, Log: a.log, Now: a.clock.now, Again: a.look}
}

// watch opens the eyes. The machine's own disks are those of the first look in this boot, whoever comes later.
func (a *agent) watch(ctx context.Context) (<-chan policy.Event, error) {
	a.noting.Lock()
	system := a.boot.System
	a.noting.Unlock()
	if system == nil {
		devices, err := sensor.Enumerate(a.eyes(nil))
		if err != nil {
			return nil, err
		}
		system = sensor.SystemDisks(devices)
		a.keepNote(func(n *bootNote) { n.System = system })
	}
	return sensor.Watch(ctx, a.eyes(system))
}

// put writes a record down, and into the system's own log what belongs there.
func (a *agent) put(r wire.Record) {
	a.journal.put(r)
	a.chronicler.see(r)
}

// openLog leaves the system's log alone where the agent only looks.
func (a *agent) openLog() {
	write, end := func(line) error { return nil }, func() {}
	if !a.observe {
		write, end = openSystemLog()
	}
	a.chronicler = newChronicler(write, a.log)
	a.closeLog = func() { a.chronicler.close(); end() }
}

// listen looks and judges again when the machine has slept or other people sit at it.
func (a *agent) listen(ctx context.Context) {
	for {
		select {
		case <-a.woken:
			ring(a.look)
			a.guard.onWoken()
		case <-ctx.Done():
			return
		}
	}
}

func (a *agent) markRunning(is bool) { a.keepNote(func(n *bootNote) { n.Running = is }) }

// keepNote changes and saves the boot note. A full disk must not keep the agent from its work.
func (a *agent) keepNote(change func(*bootNote)) {
	a.noting.Lock()
	defer a.noting.Unlock()
	change(&a.boot)
	if err := saveBoot(a.config.State, a.boot); err != nil {
		a.log.Error().Err(err).Msg("cannot save the boot note")
	}
}

func (a *agent) gapBody(lost uint64) []byte {
	return gapRecord(lost, "journal", a.clock.now(), a.boot.Boot)
}

func (a *agent) journalFault(err error) {
	text := ""
	if err != nil {
		a.log.Error().Err(err).Msg("cannot write the journal")
		text = err.Error()
	}
	a.guard.post(func() { a.guard.setFault(wire.FaultJournal, text) })
}

// answer serves the local socket. A terminal where it cannot be opened is guarded all the same.
func (a *agent) answer(ctx context.Context) {
	path := a.socketPath()
	l, err := local.Listen(path)
	if err != nil {
		a.log.Error().Err(err).Msg("status, doctor and request will not be answered")
		return
	}
	defer os.Remove(path)
	local.Serve(ctx, l, func(r local.Request) local.Answer {
		switch r.Ask {
		case local.AskCases:
			return local.Answer{Cases: a.guard.cases(), Link: a.voice.report()}
		case local.AskPackages:
			return a.wanted(ctx, r)
		case local.AskInstalled:
			return a.installedNow(ctx)
		}
		s := a.guard.status()
		return local.Answer{Status: &s, Link: a.voice.report(), Software: a.inventory.state(), Checks: a.checkup.results()}
	}, a.log)
}

func (a *agent) socketPath() string {
	switch {
	case a.socket != "":
		return a.socket
	case a.observe:
		return filepath.Join(a.config.State, "agent.sock")
	}
	return defaultSocket
}

// notEnrolled says that a terminal has no identity yet, which is no damage.
func notEnrolled(err error) bool { return errors.Is(err, link.ErrNotEnrolled) }
