package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/agent/sensor/software"
	"sekisho/agent/sheet"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// TestAPackageThatDpkgInstallsIsOnRecordWithinFiveSeconds: the real dpkg, the kernel's word, the real guard, one record, one
// step of the sheet. Only the root folder is made up.
func TestAPackageThatDpkgInstallsIsOnRecordWithinFiveSeconds(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log"} {
		mustDo(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	mustDo(t, os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644))
	dpkg(t, root, "office")

	p := policy.Builtin(policy.ModeAudit)
	p.Software = policy.DefaultSoftware()
	p.Software.Mode, p.Software.Undecided = policy.ModeWarn, policy.ActionBlock
	p.Clauses, p.Contact = policy.DefaultClauses(), policy.Contact{Name: "情報管理係", Phone: "内線 210"}
	records, told := make(chan wire.Record, 16), make(chan local.Notice, 16)
	c, _ := openClock(state, "boot", time.Now, sinceBoot)
	g := newGuard(guardOptions{
		Watch: func(context.Context) (<-chan policy.Event, error) { return make(chan policy.Event), nil },
		Hand:  onlooker{}, Gate: noGate{}, Clock: c, Policy: p, Boot: "boot", Log: zerolog.Nop(),
		Journal: func(r wire.Record) { records <- r },
		Tell:    func(_ context.Context, n local.Notice) int { told <- n; return 1 },
	})
	sheets := sheet.Open(state, time.Now, zerolog.Nop())
	i := newInventory(software.Open(software.Options{Root: root, Dir: filepath.Join(state, "software"), Log: zerolog.Nop()}), g, sheets, state, func() int { return 0 }, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { g.run(ctx) })
	all.Go(func() { i.run(ctx) })
	defer func() { cancel(); all.Wait() }()

	first := awaitRecord(t, records)
	if first.Software.What != policy.ProgramFound || first.Software.Program.Name != "office" || first.Request != "" {
		t.Fatalf("%+v", first)
	}
	answerSheets(t, sheets, 1)
	begun := time.Now()
	dpkg(t, root, "gamebox")
	r := awaitRecord(t, records)
	took := time.Since(begun)
	if ev := r.Software; ev.What != policy.ProgramInstalled || ev.Program.Name != "gamebox" || ev.Program.Source != policy.SourceLocal ||
		ev.Command != "dpkg" || ev.Away || r.Outcome != policy.OutcomeDetected || r.Decision.Rule != policy.RuleUndecided {
		t.Errorf("%+v %+v", r, r.Software)
	}
	if took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	n := <-told
	if _, body := n.Words(); n.Request != r.Request || n.Program != "gamebox" {
		t.Errorf("%+v %s", n, body)
	}
	cost := answerSheets(t, sheets, 1)
	body, err := json.Marshal(r)
	mustDo(t, err)
	t.Logf("on record after %v; record %d bytes, step of the sheet %d bytes", took, len(body), cost)
	if cost+len(body) > 2048 {
		t.Errorf("one install costs %d bytes", cost+len(body))
	}
}

// dpkg builds a package and installs it below the root.
func dpkg(t *testing.T, root, name string) {
	t.Helper()
	dir := t.TempDir()
	mustDo(t, os.MkdirAll(filepath.Join(dir, "x/DEBIAN"), 0o755))
	control := fmt.Sprintf("Package: %s\nVersion: 1.0-1\nArchitecture: all\nMaintainer: 誰か <x@example.lan>\nDescription: test\n", name)
	mustDo(t, os.WriteFile(filepath.Join(dir, "x/DEBIAN/control"), []byte(control), 0o644))
	for _, c := range [][]string{
		{"dpkg-deb", "--root-owner-group", "-b", dir + "/x", dir + "/x.deb"},
		{"dpkg", "--root=" + root, "--force-not-root", "--force-script-chrootless", "--log=" + root + "/var/log/dpkg.log", "-i", dir + "/x.deb"},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", c, err, out)
		}
	}
}

func awaitRecord(t *testing.T, records <-chan wire.Record) wire.Record {
	t.Helper()
	for {
		select {
		case r := <-records:
			if r.Kind == wire.RecordProgram {
				return r
			}
		case <-time.After(10 * time.Second):
			t.Fatal("there is no record")
		}
	}
}

// answerSheets waits for a list to be out of step, takes its steps as a console does, and says how many bytes they are.
func answerSheets(t *testing.T, k *sheet.Keeper, most int) (bytes int) {
	t.Helper()
	<-k.Wake()
	for range most {
		steps := k.Next()
		raw, err := json.Marshal(steps)
		mustDo(t, err)
		bytes += len(raw)
		tags := map[string]wire.Hash{}
		for _, s := range steps {
			tags[s.Name] = s.To
		}
		k.Answered(tags)
	}
	if left := k.Next(); len(left) > 0 {
		t.Errorf("%d steps are left", len(left))
	}
	return bytes
}

// TestTheConsoleKnowsWhatIsInstalledHere is the whole way: this machine's own packages, the real wiring, a real console.
func TestTheConsoleKnowsWhatIsInstalledHere(t *testing.T) {
	o := newOffice(t)
	o.open()
	c := o.invite(t.TempDir())
	ask, stop := atWork(t, c)
	known := func() int {
		a := ask()
		if !a.Link.Enrolled || a.Software == nil || a.Software.Programs == 0 {
			return -1
		}
		list, _, err := o.db.TerminalSoftware(t.Context(), a.Link.Terminal)
		mustDo(t, err)
		if len(list) != a.Software.Programs {
			return -1
		}
		return len(list)
	}
	until(t, "the console knows all of it", func() bool { return known() > 0 })
	stop()
	ask, stop = atWork(t, c)
	defer stop()
	until(t, "and after a restart too", func() bool { return known() > 0 })
}
