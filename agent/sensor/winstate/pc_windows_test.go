package winstate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"sekisho/agent/sensor/health"
	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

// pc is this Windows with what a test makes of it: its registry, services, programs and files are real. What a Wine has no part
// of is made up here and nowhere else: the answers of WMI.
type pc struct {
	t        *testing.T
	manager  *mgr.Mgr
	services map[string]*mgr.Service
	running  map[string]bool
	undo     []func()
	center   string // instances of AntiVirusProduct as JSON; "" does not answer in time
	defender string // instances of MSFT_MpComputerStatus; "" is no such class
	offset   time.Duration
	unheard  bool // the console was not heard yet
}

func newPC(t *testing.T, captures ...string) *pc {
	t.Helper()
	winstate.Imported(t, captures...)
	m, err := mgr.Connect()
	if err != nil {
		t.Fatal(err)
	}
	p := &pc{t: t, manager: m, services: map[string]*mgr.Service{}, running: map[string]bool{}}
	t.Cleanup(func() {
		p.back()
		for _, name := range slices.Collect(maps.Keys(p.services)) {
			p.remove(name)
		}
		m.Disconnect()
	})
	return p
}

// back undoes what was done since the last time.
func (p *pc) back() {
	for _, f := range slices.Backward(p.undo) {
		f()
	}
	p.undo = nil
}

func (p *pc) put(list ...value) {
	p.t.Helper()
	for _, v := range list {
		if v.file != "" {
			p.file(v)
			continue
		}
		kind := v.kind
		if v.gone {
			kind = winstate.NoValue
		}
		p.undo = append(p.undo, winstate.Put(p.t, v.key, v.name, kind, v.data))
	}
}

// file writes a file; a program without words of its own is a copy of this one.
func (p *pc) file(v value) {
	p.t.Helper()
	before, err := os.ReadFile(v.file)
	p.undo = append(p.undo, func() {
		if err != nil {
			_ = os.Remove(v.file)
		} else if err := os.WriteFile(v.file, before, 0o600); err != nil {
			p.t.Error(err)
		}
	})
	switch {
	case v.gone && strings.HasSuffix(v.file, said):
		p.must(os.WriteFile(v.file, nil, 0o600)) // the program is there and says nothing
	case v.gone:
		_ = os.Remove(v.file)
	case strings.HasSuffix(v.file, ".exe"):
		p.copy(v.file)
	default:
		p.must(os.MkdirAll(filepath.Dir(v.file), 0o700))
		p.must(os.WriteFile(v.file, v.data, 0o600))
	}
}

func (p *pc) copy(to string) {
	p.t.Helper()
	p.must(os.MkdirAll(filepath.Dir(to), 0o700))
	in, err := os.Open(os.Args[0])
	p.must(err)
	defer in.Close()
	out, err := os.Create(to)
	p.must(err)
	_, err = io.Copy(out, in)
	p.must(err)
	p.must(out.Close())
}

func (p *pc) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// run has exactly these services run of those that the test knows; the others of its own are there and stopped.
func (p *pc) run(names ...string) {
	p.t.Helper()
	for _, name := range names {
		if p.services[name] == nil {
			p.install(name)
		}
		if !p.running[name] {
			p.must(p.services[name].Start())
			p.until(name, svc.Running)
			p.running[name] = true
		}
	}
	for _, name := range slices.Collect(maps.Keys(p.running)) {
		if !slices.Contains(names, name) {
			p.halt(name)
		}
	}
}

func (p *pc) install(name string) {
	p.t.Helper()
	self, err := os.Executable()
	p.must(err)
	s, err := p.manager.CreateService(name, self, mgr.Config{StartType: mgr.StartManual}, winstate.ServeWord)
	p.must(err)
	p.services[name] = s
}

func (p *pc) halt(name string) {
	p.t.Helper()
	_, err := p.services[name].Control(svc.Stop)
	p.must(err)
	p.until(name, svc.Stopped)
	delete(p.running, name)
}

// remove takes a service away as an uninstaller does.
func (p *pc) remove(name string) {
	p.t.Helper()
	if p.running[name] {
		p.halt(name)
	}
	p.must(p.services[name].Delete())
	p.must(p.services[name].Close())
	delete(p.services, name)
	p.must(retried(func() error { return p.absent(name) })) // it goes when its program has ended
}

func (p *pc) absent(name string) error {
	s, err := p.manager.OpenService(name)
	if err == nil {
		_ = s.Close()
		return fmt.Errorf("%s is still there", name)
	}
	return nil
}

func (p *pc) until(name string, want svc.State) {
	p.t.Helper()
	for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(5 * time.Millisecond) {
		if s, err := p.services[name].Query(); err == nil && s.State == want {
			return
		}
	}
	p.t.Fatalf("%s does not come to state %d", name, want)
}

// start runs a copy of this program under another name, until it is ended.
func (p *pc) start(path string) (end func()) {
	p.t.Helper()
	p.copy(path)
	cmd := exec.Command(path, winstate.StayWord)
	p.must(cmd.Start())
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		p.must(retried(func() error { return os.Remove(path) }))
	}
}

// retried tries again for a while: the file of a program that has just ended may still be held.
func retried(try func() error) (err error) {
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

// lists makes Security Center list products; 0x041000 is on, 0x040000 off.
func (p *pc) lists(state uint32, names ...string) {
	rows := []map[string]any{}
	for _, n := range names {
		rows = append(rows, map[string]any{"displayName": n, "productState": state})
	}
	b, _ := json.Marshal(rows)
	p.center = string(b)
}

// ask is WMI as it is made up.
func (p *pc) ask(_ context.Context, question ...string) ([]byte, error) {
	instances := ""
	switch strings.Join(question[1:min(3, len(question))], " ") {
	case `root\SecurityCenter2 AntiVirusProduct`:
		if p.center == "" {
			return nil, context.DeadlineExceeded
		}
		instances = p.center
	case `root\Microsoft\Windows\Defender MSFT_MpComputerStatus`:
		instances = p.defender
	}
	if instances == "" {
		return fmt.Appendf(nil, `{"code":%q,"fault":"no such class"}`, policy.CodeNoSource), nil
	}
	return []byte(`{"instances":` + instances + `}`), nil
}

// look is one look at an area, at these products, and what the checks make of it.
func (p *pc) look(area string, o winstate.Options, probes ...policy.Probe) (map[string]string, map[string]policy.CheckResult, []policy.Reading) {
	o.Now = func() time.Time { return noon }
	e := health.New(health.Options{Root: "/", Now: o.Now, Windows: winstate.New(o), Offset: func() (time.Duration, bool) { return p.offset, !p.unheard }})
	readings := e.Look(p.t.Context(), area, probes)
	words, full := map[string]string{}, map[string]policy.CheckResult{}
	pol := policy.Builtin(policy.ModeAudit)
	pol.Health = policy.DefaultHealth()
	for i := range pol.Health.Checks {
		pol.Health.Checks[i].Off = false
	}
	for _, r := range policy.Judge(pol, &policy.Survey{OS: "windows", Up: 10 * time.Hour, Readings: readings}, nil, noon) {
		words[r.Check], full[r.Check] = strings.TrimSpace(string(r.Result)+" "+r.Code), r
	}
	return words, full, readings
}

// isWine says whether this Windows is one: some of what it lacks is expected of it alone.
func isWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
