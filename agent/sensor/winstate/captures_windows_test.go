package winstate

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"sekisho/internal/policy"
)

// imported has Windows read a capture as an administrator would, and puts back what was there afterwards.
func imported(t *testing.T, names ...string) *box {
	t.Helper()
	b := boxed(t, names...)
	b.hive.restored(t)
	for _, name := range names {
		file, err := filepath.Abs(filepath.Join("testdata", name+".reg"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		out, err := exec.CommandContext(ctx, "reg.exe", "import", file).CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("reg import %s: %v: %s", name, err, out)
		}
	}
	return b
}

// install writes a registry of our own making, value by value with its type.
func (h hive) install(t *testing.T) {
	t.Helper()
	h.restored(t)
	h.write(t)
}

func (h hive) write(t *testing.T) {
	t.Helper()
	for key, values := range h {
		root, sub := splitKey(key)
		k, _, err := registry.CreateKey(root, sub, registry.SET_VALUE|registry.WOW64_64KEY)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if err := setRaw(k, v); err != nil {
				t.Fatalf("%s\\%s: %v", key, v.name, err)
			}
		}
		k.Close()
	}
}

func setRaw(k registry.Key, v regValue) error {
	name, _ := windows.UTF16PtrFromString(v.name)
	data := append(slices.Clone(v.data), 0)
	code, _, _ := windows.NewLazySystemDLL("advapi32.dll").NewProc("RegSetValueExW").Call(uintptr(k), uintptr(unsafe.Pointer(name)), 0, uintptr(v.kind), uintptr(unsafe.Pointer(&data[0])), uintptr(len(v.data)))
	if code != 0 {
		return windows.Errno(code)
	}
	return nil
}

// restored puts back what stands where the test writes: others live in the same Windows.
func (h hive) restored(t *testing.T) {
	before, fresh := h.noted()
	t.Cleanup(func() { before.putBack(t, fresh) })
}

// noted is what stands where h would write, and which keys are not there yet, the deepest first.
func (h hive) noted() (before hive, fresh []string) {
	before = hive{}
	for key, values := range h {
		for at := key; strings.Count(at, `\`) > 2 || strings.HasPrefix(at, `hku\s-`); at = at[:strings.LastIndexByte(at, '\\')] {
			root, sub := splitKey(at)
			if k, err := registry.OpenKey(root, sub, registry.QUERY_VALUE|registry.WOW64_64KEY); err == nil {
				k.Close()
			} else {
				fresh = append(fresh, at)
			}
		}
		before[key] = map[string]regValue{}
		for name, v := range values {
			before[key][name] = regValue{name: v.name, kind: noValue}
			root, sub := splitKey(key)
			k, err := registry.OpenKey(root, sub, registry.QUERY_VALUE|registry.WOW64_64KEY)
			if err != nil {
				continue
			}
			buf := make([]byte, 64<<10)
			if n, kind, err := k.GetValue(v.name, buf); err == nil {
				before[key][name] = regValue{v.name, kind, slices.Clone(buf[:n])}
			}
			k.Close()
		}
	}
	slices.Sort(fresh)
	fresh = slices.Compact(fresh)
	slices.Reverse(fresh)
	return before, fresh
}

const noValue = 0xffffffff

func (h hive) putBack(t *testing.T, fresh []string) {
	for key, values := range h {
		root, sub := splitKey(key)
		k, err := registry.OpenKey(root, sub, registry.SET_VALUE|registry.WOW64_64KEY)
		if err != nil {
			continue
		}
		for _, v := range values {
			if v.kind == noValue {
				_ = k.DeleteValue(v.name)
			} else if err := setRaw(k, v); err != nil {
				t.Error(err)
			}
		}
		k.Close()
	}
	for _, key := range fresh { // one that is there alone already has a meaning
		root, sub := splitKey(key)
		_ = registry.DeleteKey(root, sub)
	}
}

// same holds what this Windows reads against what the capture says, at every place of every product.
func same(t *testing.T, what string, b *box) {
	t.Helper()
	real := New(Options{Now: func() time.Time { return noon }})
	fake := b.eyes()
	for _, p := range policy.DefaultProbes() {
		if p.OS != "windows" {
			continue
		}
		places := slices.Clone(p.Detect)
		forms := make([]policy.Form, len(places))
		for _, f := range p.Facts {
			for _, place := range f.Place {
				places, forms = append(places, place), append(forms, f.Form)
			}
		}
		for i, place := range places {
			if place.Kind != policy.PlaceRegistry {
				continue
			}
			got, want := real.Look(place), fake.Look(place)
			if a, b := readAll(forms[i], got), readAll(forms[i], want); a != b {
				t.Errorf("%s: %s, %s\\%s: %s, should be %s", what, p.ID, place.Path, place.Value, a, b)
			}
		}
	}
}

func readAll(f policy.Form, list []Found) string {
	if f.Type == "" {
		f.Type = policy.TypeText
	}
	var out []string
	for _, l := range list {
		out = append(out, said(f.Read(policy.Origin{At: noon}, l.Raw)))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestEveryCaptureIsReadFromTheRealRegistryAsItWasWritten(t *testing.T) {
	same(t, "nothing", boxed(t))
	for _, name := range []string{"defender", "apex-one", "symantec", "eset-windows", "mcafee-vse", "trellix-ens", "withsecure", "business-security", "kaspersky", "sophos", "cybereason"} {
		t.Run(name, func(t *testing.T) { same(t, name, imported(t, name)) })
	}
}

func TestEveryProductInEveryStateIsReadFromTheRealRegistry(t *testing.T) {
	for _, s := range sellers() {
		for state, change := range map[string]func(*box){
			"fresh": func(b *box) { s.day(b, noon.AddDate(0, 0, -1)) }, "old": func(b *box) { s.day(b, noon.AddDate(-1, 0, 0)) }, "no value": s.none,
			"something else": s.broken, "zero": func(b *box) { s.day(b, time.Time{}) }, "to come": func(b *box) { s.day(b, noon.AddDate(1, 0, 0)) },
		} {
			t.Run(s.id+" "+state, func(t *testing.T) {
				b := boxed(t, s.id)
				change(b)
				b.hive.install(t)
				same(t, s.id+" "+state, b)
			})
		}
	}
}

func TestTheSettingsOfAWindowsAreReadFromItsRegistry(t *testing.T) {
	b := imported(t, "client")
	real, fake := New(Options{Now: func() time.Time { return noon }, Machine: &onlyRegistry{thisMachine(), b}, Ask: b.ask}), b.eyes()
	for name, look := range map[string]func(*Eyes) []policy.Reading{
		"settings": func(e *Eyes) []policy.Reading { return e.Settings(t.Context()) },
		"patches":  func(e *Eyes) []policy.Reading { return e.Patches(t.Context()) },
		"adapters": func(e *Eyes) []policy.Reading { return e.Adapters() },
	} {
		got, want := look(real), look(fake)
		is := byFact(got) // it has a person of its own besides
		for key, w := range byFact(want) {
			if r := is[key]; said(r) != said(w) {
				_, fault := r.Why()
				t.Errorf("%s: %s %s, should be %s (%s)", name, key, said(r), said(w), fault)
			}
		}
	}
}

// onlyRegistry is the real registry beside the rest of a box.
type onlyRegistry struct {
	Machine
	box *box
}

func (o *onlyRegistry) Service(n string) policy.Raw        { return o.box.Service(n) }
func (o *onlyRegistry) Programs() (map[string]bool, error) { return o.box.Programs() }
func (o *onlyRegistry) Firmware() (bool, error)            { return o.box.Firmware() }
func (o *onlyRegistry) SMBIOS() ([]byte, error)            { return o.box.SMBIOS() }
func (o *onlyRegistry) Users() ([]Account, error)          { return o.box.Users() }
func (o *onlyRegistry) Admins() ([]Member, error)          { return o.box.Admins() }
func (o *onlyRegistry) MinLength() (int64, error)          { return o.box.MinLength() }
func (o *onlyRegistry) NameOf(s string) string             { return o.box.NameOf(s) }
func (o *onlyRegistry) Network() (Network, error)          { return o.box.Network() }
func (o *onlyRegistry) Out(a netip.Addr) (uint32, error)   { return o.box.Out(a) }

func TestWhatWaitsForARestartIsReadFromTheRealRegistry(t *testing.T) {
	for _, key := range []string{servicing + `\RebootPending`, servicing + `\RebootInProgress`, servicing + `\PackagesPending`, autoUpdate + `\RebootRequired`, autoUpdate + `\PostRebootReporting`} {
		t.Run(key, func(t *testing.T) {
			b := boxed(t, "client")
			b.hive[key] = map[string]regValue{}
			b.hive.install(t)
			r := New(Options{Now: func() time.Time { return noon }}).reboots()
			if len(r.Entries()) != 1 || !strings.HasSuffix(key, r.Entries()[0].Word) {
				t.Errorf("%s: %s", key, said(r))
			}
		})
	}
}

func TestServicesAndProgramsOfThisWindowsAreSeen(t *testing.T) {
	m := thisMachine()
	if r := m.Service("sekisho-no-such-service"); r.Text != "absent" {
		t.Errorf("%+v", r)
	}
	if r := m.Service("PlugPlay"); r.Text != "running" {
		t.Errorf("PlugPlay: %+v", r)
	}
	running, err := m.Programs()
	self := strings.ToLower(filepath.Base(os.Args[0]))
	if err != nil || !running[self] {
		t.Errorf("%s is not among %v: %v", self, running, err)
	}
}

// TestNothingOfThisWindowsPanicsAndAllOfItSaysWhy asks everything that a Wine has half or not at all.
func TestNothingOfThisWindowsPanicsAndAllOfItSaysWhy(t *testing.T) {
	e := New(Options{Now: time.Now})
	readings := append(e.Settings(t.Context()), e.Adapters()...)
	readings = append(readings, e.Patches(t.Context())...)
	if len(readings) < 25 {
		t.Errorf("only %d readings", len(readings))
	}
	for _, r := range readings {
		if code, fault := r.Why(); !r.Read() && (code == "" || code == policy.CodeFailed && fault == "") {
			t.Errorf("%s %s is not read, and does not say why", r.Fact(), r.Product())
		}
		code, fault := r.Why()
		t.Logf("%s %s = %s %s %s", r.Fact(), r.Product(), said(r), code, fault)
	}
}

func TestTheChildAsksWMI(t *testing.T) {
	e := New(Options{Now: time.Now})
	raw := e.Property(t.Context(), policy.Place{Kind: policy.PlaceWMI, Path: `root\cimv2`, Class: "Win32_OperatingSystem", Value: "Caption"})
	if raw.Code != "" || !strings.Contains(raw.Text, "Windows") {
		t.Errorf("%+v", raw)
	}
	for name, place := range map[string]policy.Place{
		"no namespace": {Path: centerSpace, Class: centerProduct, Value: "productState"},
		"no class":     {Path: `root\cimv2`, Class: "Win32_NoSuchThing", Value: "x"},
	} {
		if raw := e.Property(t.Context(), place); raw.Code == "" || raw.Fault == "" {
			t.Errorf("%s: %+v", name, raw)
		} else {
			t.Logf("%s: %+v", name, raw)
		}
	}
	e.Search(t.Context())
	if e.search.Code != policy.CodeNoSource || e.search.Fault == "" {
		t.Errorf("a Wine has no Windows Update: %+v", e.search)
	}
}

func TestChangesOfTheNetworkAreListenedForUntilTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := New(Options{Now: time.Now}).Changes(ctx)
	if err != nil || changes == nil {
		t.Fatal(err)
	}
	cancel()
	_, err = notified(func() {})
	t.Log("notifications:", err)
}

// TestAChildThatEatsMemoryIsEnded: the search for updates is bounded in the same way, by eight times as much.
func TestAChildThatEatsMemoryIsEnded(t *testing.T) {
	out, err := askChild(t.Context(), "eat")
	if r := readReply(out, err); r.Code != policy.CodeFailed || !strings.Contains(r.Fault, "memory") {
		t.Errorf("%+v", r)
	}
	s := readSearch(askChild(t.Context(), "eat"))
	if s.Code != policy.CodeFailed || !strings.Contains(s.Fault, "memory") {
		t.Errorf("%+v", s)
	}
}

func TestAChildThatHangsIsEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begun := time.Now()
	_, err := askChild(ctx, "hang")
	if why(err) != policy.CodeTimeout || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
