package update

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/bundle"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// office is a terminal with its service manager, and what a console would offer and hear. Programs are files that say
// which version they are and how they behave: "1.1 good", "1.1 silent", "1.1 dying", "1.1 unstartable".
type office struct {
	t       *testing.T
	root    string
	key     ed25519.PrivateKey
	keys    map[string][]byte
	wire    map[string]string // what the console sends, by hash
	fetched atomic.Int64
	free    atomic.Int64
	deaf    bool // the watcher cannot be started
	cutAt   string
	offers  int64

	mu      sync.Mutex
	records []wire.Record
	broken  func(hash string, from int64) (io.ReadCloser, error) // the network, when it is not as it should be
	offer   *policy.Update
	agent   *Updater
	stop    func()
	deaths  int
	off     context.CancelFunc // of the machine
	on      context.Context
	all     sync.WaitGroup
}

// spread is what the console gives a large ring.
const spread = 5 * time.Minute

func newOffice(t *testing.T) *office {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	o := &office{t: t, root: t.TempDir(), key: key, keys: map[string][]byte{seal.KeyID(public): public}, wire: map[string]string{}}
	o.free.Store(1 << 40)
	must(t, os.WriteFile(o.program(), []byte("1.0 good"), 0o755))
	return o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (o *office) program() string { return filepath.Join(o.root, "sekisho-agent") }
func (o *office) before() string  { return o.program() + ".before" }
func (o *office) dir() string     { return filepath.Join(o.root, "update") }

// power switches the machine on: the service starts, and the watcher where its unit finds a plan.
func (o *office) power() {
	o.on, o.off = context.WithCancel(context.Background())
	o.start()
	if _, err := os.Stat(filepath.Join(o.dir(), PlanFile)); err == nil {
		o.watch()
	}
}

// cut takes the power away: whoever is at work stops where it is.
func (o *office) cut() {
	o.off()
	o.halt()
	o.all.Wait()
}

func (o *office) start() {
	text, err := os.ReadFile(o.program())
	must(o.t, err)
	version, behaves, _ := strings.Cut(string(text), " ")
	ctx, cancel := context.WithCancel(o.on)
	u := New(Options{
		Dir: o.dir(), Program: o.program(), Version: version, OS: "linux", Arch: "amd64", Keys: o.keys,
		Fetch: o.fetch, Busy: busy, Free: func(string) (uint64, error) { return uint64(o.free.Load()), nil },
		HandOver: func(context.Context) error {
			if o.deaf {
				return errors.New("unit not found")
			}
			o.watch()
			return nil
		},
		Journal: func(r wire.Record) { o.mu.Lock(); o.records = append(o.records, r); o.mu.Unlock() },
		Changed: func() {}, Log: zerolog.Nop(), Now: time.Now,
	})
	var done sync.WaitGroup
	done.Go(func() { u.Run(ctx) })
	o.mu.Lock()
	o.agent, o.stop = u, func() { cancel(); done.Wait() }
	offer := o.offer
	o.mu.Unlock()
	u.Offer(offer)
	switch behaves {
	case "good":
		u.Reported(wire.Status{Agent: version})
	case "dying":
		o.mu.Lock()
		o.deaths = mostDeaths
		o.mu.Unlock()
	}
}

func (o *office) halt() {
	o.mu.Lock()
	stop := o.stop
	o.stop = func() {}
	o.mu.Unlock()
	stop()
}

// watch does what the unit does: another name for the program unless there is one, then the watcher from there.
func (o *office) watch() {
	_ = os.Link(o.program(), o.before())
	w := &Watcher{Dir: o.dir(), Program: o.program(), Before: o.before(), Service: o, Log: zerolog.Nop(), Now: time.Now}
	ctx := o.on
	o.all.Go(func() {
		for ctx.Err() == nil && w.Run(ctx) != nil {
			pause(ctx, time.Second)
		}
	})
}

var errCut = errors.New("power cut")

// Replace is the service manager. The power may be cut on the way.
func (o *office) Replace(ctx context.Context, swap func() error) error {
	if o.cutting("before the swap") {
		return errCut
	}
	if err := swap(); err != nil {
		return err
	}
	if o.cutting("after the swap") {
		return errCut
	}
	o.mu.Lock()
	o.deaths = 0
	o.mu.Unlock()
	o.halt()
	text, err := os.ReadFile(o.program())
	if err == nil && strings.HasSuffix(string(text), "unstartable") {
		return errors.New("job failed")
	}
	o.start()
	o.cutting("after the start")
	return err
}

func (o *office) cutting(at string) bool {
	if o.cutAt != at {
		return false
	}
	o.cutAt = ""
	o.off()
	return true
}

func (o *office) Deaths(context.Context) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.deaths
}

type sentAway struct{ error }

func busy(err error) time.Duration {
	var s sentAway
	if errors.As(err, &s) {
		return 30 * time.Second
	}
	return 0
}

func (o *office) fetch(_ context.Context, hash string, from int64) (io.ReadCloser, error) {
	o.fetched.Add(1)
	o.mu.Lock()
	broken := o.broken
	o.mu.Unlock()
	if broken != nil {
		return broken(hash, from)
	}
	return io.NopCloser(strings.NewReader(o.wire[hash][from:])), nil
}

// breaks gives the network another behaviour.
func (o *office) breaks(f func(hash string, from int64) (io.ReadCloser, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = f
}

// release is a signed offer of one program.
func (o *office) release(version, program string) *policy.Update {
	return o.releaseFor(version, program, "linux", "amd64")
}

func (o *office) releaseFor(version, program, system, arch string) *policy.Update {
	o.t.Helper()
	sum := sha256.Sum256([]byte(program))
	hash := hex.EncodeToString(sum[:])
	o.wire[hash] = program
	raw, err := json.Marshal(bundle.Manifest{Format: bundle.Format, Version: version,
		Programs: []bundle.Program{{OS: system, Arch: arch, SHA256: hash, Size: int64(len(program))}}})
	must(o.t, err)
	e := seal.SignRelease(o.key, raw)
	o.offers++
	return &policy.Update{Offer: o.offers, Version: version, Spread: int64(spread.Seconds()), Key: e.Key, Manifest: e.Payload, Signature: e.Signature}
}

// offered is an administrator's press.
func (o *office) offered(u *policy.Update) {
	o.mu.Lock()
	o.offer = u
	agent := o.agent
	o.mu.Unlock()
	if agent != nil {
		agent.Offer(u)
	}
}

func (o *office) codes() (codes []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.records {
		codes = append(codes, r.Code)
	}
	return codes
}

func (o *office) state() wire.Update {
	o.mu.Lock()
	agent := o.agent
	o.mu.Unlock()
	if s := agent.State(); s != nil {
		return *s
	}
	return wire.Update{}
}

// holds checks how a story ended: which program is in its place, what the console is told, what was recorded, and that
// nothing is left lying about.
func (o *office) holds(program, state, code string, records ...string) {
	o.t.Helper()
	text, err := os.ReadFile(o.program())
	if err != nil || string(text) != program {
		o.t.Errorf("in its place is %q, not %q (%v)", text, program, err)
	}
	if s := o.state(); s.State != state || s.Code != code {
		o.t.Errorf("the console is told %+v, not %s %s", s, state, code)
	}
	if got := o.codes(); !slices.Equal(got, records) {
		o.t.Errorf("recorded was %v, not %v", got, records)
	}
	for _, pattern := range []string{"*.before", ".*", "update/plan*", "update/staged", "update/*.part", "update/.*"} {
		if left, _ := filepath.Glob(filepath.Join(o.root, pattern)); len(left) != 0 {
			o.t.Errorf("%v is left", left)
		}
	}
}

// story runs in made-up time and ends with the machine off.
func story(t *testing.T, tell func(o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.power()
		tell(o)
		o.cut()
	})
}

// later lets made-up time pass.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAnUpdateIsFetchedInstalledAndReported(t *testing.T) {
	story(t, func(o *office) {
		o.offered(o.release("1.1", "1.1 good"))
		synctest.Wait()
		if s := o.state(); s.State != wire.UpdateWaiting {
			t.Errorf("at once it is %+v", s)
		}
		later(spread + time.Minute)
		o.holds("1.1 good", wire.UpdateInstalled, "", wire.CodeUpdateStarted, wire.CodeUpdateInstalled)
	})
}

func TestAVersionThatDoesNotReportIsRolledBackAfterTenMinutes(t *testing.T) {
	story(t, func(o *office) {
		o.offered(o.release("1.1", "1.1 silent"))
		later(ReportWithin - time.Second)
		if s := o.state(); s.State == wire.UpdateRolledBack {
			t.Errorf("it was not given its time: %+v", s)
		}
		later(spread + time.Minute)
		o.holds("1.0 good", wire.UpdateRolledBack, wire.ReasonSilent, wire.CodeUpdateStarted, wire.CodeUpdateRolledBack)
		later(24 * time.Hour)
		if n := o.fetched.Load(); n != 1 {
			t.Errorf("it was fetched %d times: what was rolled back is not tried again by itself", n)
		}
		o.offered(o.release("1.1", "1.1 good"))
		later(spread + time.Minute)
		o.holds("1.1 good", wire.UpdateInstalled, "", wire.CodeUpdateStarted, wire.CodeUpdateRolledBack, wire.CodeUpdateStarted, wire.CodeUpdateInstalled)
	})
}

func TestAVersionThatDiesAgainAndAgainIsRolledBackAtOnce(t *testing.T) {
	for program, words := range map[string]string{"1.1 dying": "died", "1.1 unstartable": "cannot start"} {
		story(t, func(o *office) {
			o.offered(o.release("1.1", program))
			later(spread + 10*time.Second)
			o.holds("1.0 good", wire.UpdateRolledBack, wire.ReasonCrashed, wire.CodeUpdateStarted, wire.CodeUpdateRolledBack)
			if s := o.state(); !strings.Contains(s.Reason, words) {
				t.Errorf("%s: %q", program, s.Reason)
			}
		})
	}
}

func TestAPowerCutEndsInOneOfTheTwoGoodStates(t *testing.T) {
	for _, c := range []struct{ at, program, ends, state, code string }{
		{"before the swap", "1.1 good", "1.1 good", wire.UpdateInstalled, ""}, // tried again
		{"after the swap", "1.1 good", "1.1 good", wire.UpdateInstalled, ""},
		{"after the swap", "1.1 silent", "1.0 good", wire.UpdateRolledBack, wire.ReasonSilent},
		{"after the start", "1.1 good", "1.1 good", wire.UpdateInstalled, ""},
		{"after the start", "1.1 dying", "1.0 good", wire.UpdateRolledBack, wire.ReasonCrashed},
	} {
		t.Run(c.at+", "+c.program, func(t *testing.T) {
			story(t, func(o *office) {
				o.cutAt = c.at
				o.offered(o.release("1.1", c.program))
				later(spread + 2*time.Second)
				o.cut()
				o.power()
				later(lastAgain + 2*spread + ReportWithin + time.Minute)
				records := o.codes()
				o.holds(c.ends, c.state, c.code, records...)
				if records[len(records)-1] != codes[c.state] {
					t.Errorf("recorded was %v", records)
				}
			})
		})
	}
}

func TestAVersionThatTakesTheMachineDownAgainAndAgainIsRolledBack(t *testing.T) {
	story(t, func(o *office) {
		o.offered(o.release("1.1", "1.1 silent"))
		later(spread + 2*time.Second)
		for range mostStarts {
			o.cut()
			o.power()
			later(10 * time.Second)
		}
		o.holds("1.0 good", wire.UpdateRolledBack, wire.ReasonCrashed, wire.CodeUpdateStarted, wire.CodeUpdateRolledBack)
	})
}

func TestWhatMustNotBeInstalledIsRefusedOnceAndNotFetched(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(o *office) *policy.Update
		code  string
	}{
		"older":        {func(o *office) *policy.Update { return o.release("0.9", "0.9 good") }, wire.ReasonOlder},
		"another arch": {func(o *office) *policy.Update { return o.releaseFor("1.1", "1.1 good", "linux", "arm64") }, wire.ReasonSystem},
		"another os":   {func(o *office) *policy.Update { return o.releaseFor("1.1", "1.1 good", "windows", "amd64") }, wire.ReasonSystem},
		"another key": {func(o *office) *policy.Update {
			_, o.key, _ = ed25519.GenerateKey(nil)
			return o.release("1.1", "1.1 good")
		}, wire.ReasonKey},
		"bent": {func(o *office) *policy.Update {
			u := o.release("1.1", "1.1 good")
			u.Manifest = bytes.Replace(u.Manifest, []byte("1.1"), []byte("9.9"), 1)
			return u
		}, wire.ReasonKey},
		"not understood": {func(o *office) *policy.Update {
			e := seal.SignRelease(o.key, []byte(`{"format":2}`))
			return &policy.Update{Offer: 1, Version: "2", Key: e.Key, Manifest: e.Payload, Signature: e.Signature}
		}, wire.ReasonManifest},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(o *office) {
				o.offered(c.spoil(o))
				later(time.Hour)
				o.cut()
				o.power()
				later(time.Hour)
				o.holds("1.0 good", wire.UpdateRefused, c.code, wire.CodeUpdateRefused)
				if o.fetched.Load() != 0 {
					t.Error("it was fetched")
				}
			})
		})
	}
}

func TestAnAgentWithoutReleaseKeysSaysThatItCannotBeUpdated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.keys = nil
		o.power()
		o.offered(o.release("1.1", "1.1 good"))
		later(time.Hour)
		o.holds("1.0 good", wire.UpdateRefused, wire.ReasonKey, wire.CodeUpdateRefused)
		o.cut()
	})
}

func TestADownloadGoesOnWhereItWasCut(t *testing.T) {
	story(t, func(o *office) {
		var from []int64
		o.breaks(func(hash string, at int64) (io.ReadCloser, error) {
			from = append(from, at)
			switch len(from) {
			case 1:
				return io.NopCloser(strings.NewReader(o.wire[hash][:3])), nil
			case 2:
				return nil, errors.New("connection refused")
			}
			return io.NopCloser(strings.NewReader(o.wire[hash][at:])), nil
		})
		o.offered(o.release("1.1", "1.1 good"))
		later(spread + lastAgain)
		if !slices.Equal(from, []int64{0, 3, 3}) {
			t.Errorf("it was asked for from %v", from)
		}
		o.holds("1.1 good", wire.UpdateInstalled, "", wire.CodeUpdateStarted, wire.CodeUpdateInstalled)
	})
}

func TestWhileTheConsoleIsGoneNothingIsLostAndItIsSaid(t *testing.T) {
	story(t, func(o *office) {
		o.breaks(func(string, int64) (io.ReadCloser, error) { return nil, errors.New("no route to host") })
		o.offered(o.release("1.1", "1.1 good"))
		later(3 * time.Hour)
		if s := o.state(); s.State != wire.UpdateFailed && s.State != wire.UpdateDownloading || s.State == wire.UpdateFailed && s.Code != wire.ReasonNetwork {
			t.Errorf("%+v", s)
		}
		if n := o.fetched.Load(); n > 40 {
			t.Errorf("it asked %d times in three hours", n)
		}
		o.breaks(func(string, int64) (io.ReadCloser, error) { return nil, sentAway{errors.New("others are served")} })
		later(lastAgain + time.Second)
		if s := o.state(); s.State != wire.UpdateWaiting {
			t.Errorf("sent away for a while: %+v", s)
		}
		o.offered(nil)
		later(time.Minute)
		if s := o.state(); s.State != "" {
			t.Errorf("withdrawn, and still %+v", s)
		}
	})
}

func TestWhatTheConsoleBendsIsNotInstalled(t *testing.T) {
	story(t, func(o *office) {
		o.breaks(func(hash string, at int64) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x", len(o.wire[hash])))), nil
		})
		o.offered(o.release("1.1", "1.1 good"))
		later(spread + 20*time.Second)
		if s := o.state(); s.Code != wire.ReasonAltered {
			t.Errorf("%+v", s)
		}
		if len(o.codes()) != 0 {
			t.Errorf("recorded was %v", o.codes())
		}
	})
}

func TestAFullDiskIsSaidBeforeAnythingIsFetched(t *testing.T) {
	story(t, func(o *office) {
		o.free.Store(1 << 20)
		o.offered(o.release("1.1", "1.1 good"))
		later(spread + 20*time.Second)
		if s := o.state(); s.State != wire.UpdateFailed || s.Code != wire.ReasonDisk || o.fetched.Load() != 0 {
			t.Errorf("%+v after %d fetches", s, o.fetched.Load())
		}
		o.free.Store(1 << 40)
		later(lastAgain + time.Minute)
		o.holds("1.1 good", wire.UpdateInstalled, "", wire.CodeUpdateStarted, wire.CodeUpdateInstalled)
	})
}

func TestAWatcherThatCannotBeStartedIsSaidAndNotTriedForEver(t *testing.T) {
	story(t, func(o *office) {
		o.deaf = true
		o.offered(o.release("1.1", "1.1 good"))
		later(24 * time.Hour)
		started := slices.Repeat([]string{wire.CodeUpdateStarted}, mostTries)
		o.holds("1.0 good", wire.UpdateRefused, wire.ReasonHandOver, append(started, wire.CodeUpdateRefused)...)
	})
}

func TestAPackageThatComesMeanwhileWins(t *testing.T) {
	story(t, func(o *office) {
		o.offered(o.release("1.1", "1.1 silent"))
		later(spread + 10*time.Second)
		other := o.program() + ".dpkg-new"
		must(t, os.WriteFile(other, []byte("1.2 good"), 0o755))
		must(t, os.Rename(other, o.program()))
		o.halt()
		o.start()
		later(time.Minute)
		text, err := os.ReadFile(o.program())
		if err != nil || string(text) != "1.2 good" {
			t.Errorf("in its place is %q, %v", text, err)
		}
		if _, err := os.Stat(filepath.Join(o.dir(), PlanFile)); !gone(err) {
			t.Errorf("the plan is still there: %v", err)
		}
	})
}

func TestTheSameVersionIsInstalledAlready(t *testing.T) {
	story(t, func(o *office) {
		o.offered(o.release("1.0", "1.0 good"))
		later(time.Hour)
		o.holds("1.0 good", wire.UpdateInstalled, "")
	})
}

func TestADamagedPlanHarmsNobody(t *testing.T) {
	for _, text := range []string{"", "{", `{"phase":"swapped"}`, `[]`, strings.Repeat(" ", maxFile+1)} {
		story(t, func(o *office) {
			o.cut()
			must(t, folder(o.dir()).make())
			must(t, os.WriteFile(filepath.Join(o.dir(), PlanFile), []byte(text), 0o600))
			o.power()
			later(time.Minute)
			o.holds("1.0 good", "", "")
		})
	}
}

// obedient is a service manager that does what it is told.
type obedient struct{}

func (obedient) Replace(_ context.Context, swap func() error) error { return swap() }
func (obedient) Deaths(context.Context) int                         { return 0 }

// FuzzPlan: whatever lies in the folder, the watcher leaves the program of before in its place, or the one that lies ready
// and has the plan's hash, and never makes up a third.
func FuzzPlan(f *testing.F) {
	sum := func(text string) string { h := sha256.Sum256([]byte(text)); return hex.EncodeToString(h[:]) }
	for _, phase := range []string{phaseStaged, phaseSwapped, phaseBack, phaseDone, "x"} {
		f.Add([]byte(fmt.Sprintf(`{"offer":1,"version":"1.1","sha256":%q,"size":3,"before_sha256":%q,"phase":%q}`, sum("new"), sum("old"), phase)), false)
		f.Add([]byte(fmt.Sprintf(`{"offer":1,"version":"1.1","sha256":%q,"size":3,"before_sha256":%q,"phase":%q}`, sum("new"), sum("old"), phase)), true)
	}
	f.Add([]byte(`{"sha256":"../../x"}`), false)
	f.Fuzz(func(t *testing.T, raw []byte, swapped bool) {
		root := t.TempDir()
		dir, program := filepath.Join(root, "update"), filepath.Join(root, "agent")
		must(t, folder(dir).make())
		in := map[bool]string{false: "old", true: "new"}[swapped]
		for path, text := range map[string]string{program: in, program + ".before": "old", filepath.Join(dir, stagedFile): "new", filepath.Join(dir, PlanFile): string(raw)} {
			must(t, os.WriteFile(path, []byte(text), 0o755))
		}
		w := Watcher{Dir: dir, Program: program, Before: program + ".before", Service: obedient{}, Log: zerolog.Nop(), Now: time.Now, Within: time.Millisecond, Every: time.Millisecond}
		err := w.Run(t.Context())
		text, missing := os.ReadFile(program)
		if missing != nil || string(text) != "old" && string(text) != in {
			t.Fatalf("in its place is %q (%v) after %v", text, missing, err)
		}
	})
}
