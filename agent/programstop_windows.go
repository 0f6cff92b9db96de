package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows"

	"sekisho/agent/enforce"
	"sekisho/agent/enforce/quarantine"
	"sekisho/agent/sensor/applog"
	"sekisho/agent/sensor/binary"
	"sekisho/agent/sensor/process"
	"sekisho/internal/policy"
	"sekisho/internal/private"
)

// windowsStopper keeps Windows' own rules, and looks at each program that starts.
type windowsStopper struct {
	stop  programStop
	rules *ruleKeeper
	said  *applockerLog
	again chan struct{}
	log   zerolog.Logger
}

// newProgramGate: AppLocker stands before programs, and the agent ends what it lets through.
func (a *agent) newProgramGate() programGate {
	places, view := thePlaces(), a.guard.view.Load
	s := &windowsStopper{again: make(chan struct{}, 1), log: a.log, stop: programStop{
		judge: a.guard.judgeProgram, tell: a.guard.onProgram, places: places, now: a.clock.now, end: enforce.EndProgram,
		match: func(rule string) (policy.ProgramMatch, bool) { return matchOf(view(), rule) },
		stall: func() policy.Action { return stallOf(view()) },
		read:  binary.NewCache(binary.Read, places.Settled).Read,
		take:  quarantine.Open(quarantineOf(a.config.State), privateRoom, a.clock.now).Take,
	}}
	poke := make(chan struct{}, 1)
	seen := openSeen(a.config.State, a.log, func(hash string) bool { return names(view(), hash) }, func() { ring(poke) })
	s.stop.learn = seen.learn
	stand := enforce.NewStanding(enforce.Options{Root: a.root, Log: a.log, Now: a.clock.now})
	s.rules = &ruleKeeper{stand: stand, view: view, now: a.clock.now, seen: seen, say: a.guard.onRules, poke: poke}
	s.said = &applockerLog{stop: &s.stop, rules: s.rules, record: a.put, account: accountOf, applied: budget{most: 4, per: time.Hour}, harm: budget{most: 20, per: time.Hour}}
	return s
}

// Published looks at everything anew.
func (s *windowsStopper) Published(*policy.Policy) {
	ring(s.again)
	ring(s.rules.poke)
}

// Vetted and Refresh are for package managers that ask; Windows' do not.
func (*windowsStopper) Vetted(int)                    {}
func (*windowsStopper) Busy() bool                    { return false }
func (*windowsStopper) Essential(string) bool         { return false }
func (*windowsStopper) Refresh(context.Context) error { return nil }

// Run looks until ctx ends.
func (s *windowsStopper) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.rules.run(ctx) })
	all.Go(func() { s.listen(ctx) })
	s.stop.follow(ctx, process.Watch(ctx, process.Options{Again: s.again, Log: s.log}))
	all.Wait()
}

// listen reads AppLocker's logs. Where that cannot be done, what AppLocker stops stays unknown, and that is said.
func (s *windowsStopper) listen(ctx context.Context) {
	words := map[string]string{"WINDIR": s.stop.places.Windows, "SYSTEM32": filepath.Join(s.stop.places.Windows, "System32"),
		"OSDRIVE": filepath.VolumeName(s.stop.places.Windows), "PROGRAMFILES": `C:\Program Files`}
	if len(s.stop.places.Programs) > 0 {
		words["PROGRAMFILES"] = s.stop.places.Programs[0]
	}
	for again := true; again; again = pause(ctx, lookAgain) {
		if err := applog.Watch(ctx, words, func(e applog.Event) { s.said.see(ctx, e) }); err != nil {
			s.log.Warn().Err(err).Msg("what applocker stops stays unknown")
			s.rules.hear("what AppLocker stops stays unknown: " + err.Error())
		}
	}
}

// accountOf is a person's name where Windows knows it.
func accountOf(sid string) string {
	id, err := windows.StringToSid(sid)
	if err != nil {
		return sid
	}
	name, domain, _, err := id.LookupAccount("")
	if err != nil {
		return sid
	}
	return domain + `\` + name
}

// thePlaces asks Windows where its folders are; they are not always on C.
func thePlaces() process.Places {
	var p process.Places
	p.Windows, _ = windows.GetSystemWindowsDirectory() // where it is not told all is vital
	for _, id := range []*windows.KNOWNFOLDERID{windows.FOLDERID_ProgramFiles, windows.FOLDERID_ProgramFilesX86} {
		if dir, err := windows.KnownFolderPath(id, 0); err == nil {
			p.Programs = append(p.Programs, dir)
		}
	}
	p.Own, _ = os.Executable() // as above
	return p
}

// letPrograms brings back what was in the registry about programs.
func letPrograms() error {
	return enforce.NewStanding(enforce.Options{Root: "/", Log: zerolog.Nop(), Now: time.Now}).Undo()
}

// neverRun is the administrators' own, and nobody runs a file in it: the first entry denies execution of files alone.
const neverRun = "O:BAD:PAI(D;OIIO;0x20;;;WD)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

func privateRoom(dir string) error { return private.Folder(dir, neverRun) }
