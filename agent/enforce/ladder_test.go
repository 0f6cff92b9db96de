package enforce

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// hive is a registry in memory. After left writes it is killed, as a service in the middle of a change.
type hive struct {
	mu     sync.Mutex
	values map[string]map[string]regValue
	left   int // writes until the power goes; negative: never
}

var errKilled = errors.New("killed")

func newHive(keys ...string) *hive {
	h := &hive{values: map[string]map[string]regValue{}, left: -1}
	for _, k := range append(keys, `SOFTWARE\Policies\Microsoft\Windows`) {
		h.make(k)
	}
	return h
}

func (h *hive) write() error {
	if h.left == 0 {
		return errKilled
	}
	h.left--
	return nil
}

func (h *hive) Value(key, name string) (regValue, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.values[key][name]
	return v, ok, nil
}

func (h *hive) Names(key string) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.values[key])), nil
}

func (h *hive) Below(key string) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for k := range h.values {
		if name, ok := strings.CutPrefix(k, key+`\`); ok && !strings.Contains(name, `\`) {
			out = append(out, name)
		}
	}
	return out, nil
}

func (h *hive) Set(key, name string, v regValue) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.write(); err != nil {
		return err
	}
	h.make(key)
	h.values[key][name] = v
	return nil
}

func (h *hive) make(key string) {
	for _, k := range parents(key) {
		if h.values[k] == nil {
			h.values[k] = map[string]regValue{}
		}
	}
}

func (h *hive) Drop(key, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.write(); err != nil {
		return err
	}
	delete(h.values[key], name)
	return nil
}

func (h *hive) Has(key string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.values[key] != nil, nil
}

func (h *hive) Make(key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.write(); err != nil {
		return err
	}
	h.make(key)
	return nil
}

func (h *hive) Remove(key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.write(); err != nil {
		return err
	}
	for k := range h.values {
		if strings.HasPrefix(k, key+`\`) {
			return nil
		}
	}
	if len(h.values[key]) == 0 {
		delete(h.values, key)
	}
	return nil
}

func (h *hive) copy() map[string]map[string]regValue {
	out := map[string]map[string]regValue{}
	for k, v := range h.values {
		out[k] = maps.Clone(v)
	}
	return out
}

func theLadder(t *testing.T, h *hive) ladder {
	return ladder{reg: h, dir: filepath.Join(t.TempDir(), "共有 ゲート"), layered: true}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, l ladder, want string) {
	t.Helper()
	if got := l.state(); !strings.HasPrefix(got, want) {
		t.Fatalf("gate is %q, not %q", got, want)
	}
}

func TestTheLadderShutsAndOpensAndLeavesNoTrace(t *testing.T) {
	h := newHive(explorerKey)
	h.values[explorerKey]["NoDriveTypeAutoRun"] = dword(0x91)
	before := h.copy()
	l := theLadder(t, h)
	state(t, l, "open")
	must(t, l.shut())
	must(t, l.shut())
	state(t, l, "shut")
	if v, _, _ := h.Value(removableKey+`\{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}`, "Deny_Read"); !v.equal(dword(1)) {
		t.Error("removable disks can be read")
	}
	must(t, l.open())
	must(t, l.open())
	state(t, l, "open")
	if !reflect.DeepEqual(before, h.copy()) {
		t.Errorf("left behind: %v", h.copy())
	}
}

func TestNoKeyboardCardReaderOrSystemDiskMatchesWhatIsDenied(t *testing.T) {
	for _, denied := range deniedIDs() {
		for _, id := range []string{`USB\Class_03`, `USB\Class_0B`, `USB\Class_09`, `USB\COMPOSITE`, `SCSI\Disk`, `GenDisk`, `HID_DEVICE`} {
			if strings.EqualFold(denied, id) {
				t.Errorf("%s is denied", id)
			}
		}
	}
	h := newHive()
	must(t, theLadder(t, h).shut())
	for _, never := range []string{"DenyDeviceClasses", "DenyRemovableDevices", "DenyUnspecified", "DenyDeviceIDsRetroactive"} {
		if _, ok, _ := h.Value(restrictionsKey, never); ok {
			t.Errorf("%s is set", never)
		}
	}
}

func TestAServiceKilledAtAnyWriteIsUndoneByTheNext(t *testing.T) {
	for left := 0; ; left++ {
		h := newHive(explorerKey)
		h.values[explorerKey]["NoDriveTypeAutoRun"] = dword(0x91)
		before := h.copy()
		l := theLadder(t, h)
		h.left = left
		err := l.shut()
		h.left = -1
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		must(t, l.open())
		if !reflect.DeepEqual(before, h.copy()) {
			t.Fatalf("after %d writes left behind: %v", left, h.copy())
		}
	}
}

func TestAnUndoThatWasKilledIsFinishedByTheNext(t *testing.T) {
	for left := 0; ; left++ {
		h := newHive()
		before := h.copy()
		l := theLadder(t, h)
		must(t, l.shut())
		h.left = left
		err := l.open()
		h.left = -1
		must(t, l.open())
		if !reflect.DeepEqual(before, h.copy()) {
			t.Fatalf("after %d writes left behind: %v", left, h.copy())
		}
		if err == nil {
			return
		}
	}
}

func TestAValueOfTheDomainIsReportedAndLeft(t *testing.T) {
	h := newHive(restrictionsKey)
	h.values[restrictionsKey]["DenyDeviceIDs"] = dword(0)
	before := h.copy()
	l := theLadder(t, h)
	err := l.shut()
	if err == nil || !strings.Contains(err.Error(), "group policy") {
		t.Fatalf("not reported: %v", err)
	}
	if v, _, _ := h.Value(restrictionsKey, "DenyDeviceIDs"); !v.equal(dword(0)) {
		t.Error("the domain's value was changed")
	}
	state(t, l, "failed: ")
	must(t, l.open())
	if !reflect.DeepEqual(before, h.copy()) {
		t.Errorf("left behind: %v", h.copy())
	}
}

func TestAValueOfAWrongTypeIsReportedAndLeft(t *testing.T) {
	h := newHive(restrictionsKey)
	h.values[restrictionsKey]["AllowDenyLayered"] = text("yes")
	l := theLadder(t, h)
	if err := l.shut(); err == nil {
		t.Error("not reported")
	}
	if _, ok, _ := h.Value(restrictionsKey, "DenyDeviceIDs"); ok {
		t.Error("denied without layers: no permission would work")
	}
}

func TestTheDomainsOwnListKeepsItsNumbers(t *testing.T) {
	h := newHive(restrictionsKey + `\DenyDeviceIDs`)
	h.values[restrictionsKey+`\DenyDeviceIDs`]["1"] = text(`PCI\CC_0C0A`)
	h.values[restrictionsKey+`\DenyDeviceIDs`]["2"] = text(`usb\class_08`)
	l := theLadder(t, h)
	must(t, l.shut())
	state(t, l, "shut")
	must(t, l.open())
	list := h.values[restrictionsKey+`\DenyDeviceIDs`]
	if len(list) != 2 || !list["1"].equal(text(`PCI\CC_0C0A`)) {
		t.Errorf("%v", list)
	}
}

func TestWhatSomebodyChangedAfterUsStaysTheirs(t *testing.T) {
	h := newHive()
	l := theLadder(t, h)
	must(t, l.shut())
	h.values[restrictionsKey]["DenyDeviceIDs"] = dword(0)
	state(t, l, "failed: ")
	must(t, l.open())
	if v, ok, _ := h.Value(restrictionsKey, "DenyDeviceIDs"); !ok || !v.equal(dword(0)) {
		t.Error("their value is gone")
	}
}

func TestAPermittedStickLiftsOneRungAndTheLastOnePutsItBack(t *testing.T) {
	h := newHive()
	before := h.copy()
	l := theLadder(t, h)
	must(t, l.shut())
	shut := h.copy()
	for _, id := range []string{`USB\VID_0781&PID_5583\A`, `USB\VID_0781&PID_5583\B`} {
		if _, err := l.allow(id, []string{id}); err != nil {
			t.Fatal(err)
		}
	}
	state(t, l, "shut")
	if has, _ := h.Has(removableKey); has {
		t.Error("the stick cannot be read")
	}
	must(t, l.forbid(`USB\VID_0781&PID_5583\A`))
	if names, _ := h.Names(allowedKey); len(names) != 1 {
		t.Errorf("exceptions: %v", names)
	}
	must(t, l.forbid(`USB\VID_0781&PID_5583\B`))
	if !reflect.DeepEqual(shut, h.copy()) {
		t.Errorf("not as before: %v", h.copy())
	}
	if _, err := l.allow(`USB\VID_0781&PID_5583\A`, []string{`USB\VID_0781&PID_5583\A`}); err != nil {
		t.Fatal(err)
	}
	must(t, l.open())
	if !reflect.DeepEqual(before, h.copy()) {
		t.Errorf("left behind: %v", h.copy())
	}
}

func TestADamagedLedgerStopsEveryChange(t *testing.T) {
	h := newHive()
	l := theLadder(t, h)
	must(t, os.MkdirAll(l.dir, 0o700))
	must(t, os.WriteFile(filepath.Join(l.dir, "access.json"), []byte(`{"values":[{`), 0o600))
	if err := l.shut(); err == nil {
		t.Error("not reported")
	}
	if has, _ := h.Has(removableKey); has {
		t.Error("changed without knowing what was there")
	}
}

func TestOnlyWindowsWithLayersGetsTheInstallRung(t *testing.T) {
	for b, want := range map[build]bool{
		{22631, 1}: true, {19045, 5000}: true, {19041, 1150}: false, {17763, 2145}: true, {17763, 1}: false, {20348, 256}: true, {14393, 9999}: false,
	} {
		if b.layered() != want {
			t.Errorf("%v: %v", b, !want)
		}
	}
	h := newHive()
	l := theLadder(t, h)
	l.layered = false
	must(t, l.shut())
	state(t, l, "shut")
	if has, _ := h.Has(restrictionsKey); has {
		t.Error("denied without layers")
	}
}

func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"values":[{"key":"A\\B","name":"x","set":{"type":4,"data":"AQAAAA=="}}],"keys":["A","A\\B"]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "l.json")
		must(t, os.WriteFile(path, raw, 0o600))
		l := ledger{newHive(), path}
		if err := l.undo(); err == nil && l.used() {
			t.Error("undone and still there")
		}
	})
}

func FuzzExtents(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n := len(extents(raw)); n > len(raw)/24 {
			t.Errorf("%d disks in %d bytes", n, len(raw))
		}
	})
}
