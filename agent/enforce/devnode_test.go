package enforce

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sekisho/internal/policy"
)

// fakeNodes is plug and play as a test wants it, after what the vendor's pages say of CM_Disable_DevNode.
type fakeNodes struct {
	mu    sync.Mutex
	nodes map[string]*devnode
	under map[string]string // child: parent
	media map[string]string // node: path
	veto  map[string]bool   // programs keep it open when asked
	stuck map[string]bool   // disabled only after a restart
	gone  func(id string)   // called before each Disable
}

func (w *fakeNodes) Node(id string) (devnode, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[id]; n != nil {
		return *n, nil
	}
	return devnode{}, errNoNode
}

func (w *fakeNodes) Below(id string) ([]devnode, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[id] == nil {
		return nil, errNoNode
	}
	return w.below(id), nil
}

func (w *fakeNodes) below(id string) []devnode {
	var out []devnode
	for child, parent := range w.under {
		if parent == id && w.nodes[child] != nil {
			out = append(append(out, *w.nodes[child]), w.below(child)...)
		}
	}
	slices.SortFunc(out, func(a, b devnode) int { return strings.Compare(a.id, b.id) })
	return out
}

func (w *fakeNodes) Disable(id string, force bool) error {
	if w.gone != nil {
		w.gone(id)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[id]
	switch {
	case n == nil:
		return errNoNode
	case w.veto[id] && !force:
		return errors.New("cannot disable: a program refused")
	case w.stuck[id]:
		return errors.New("cannot disable: only after a restart")
	}
	n.started, n.disabled = false, true
	for _, b := range w.below(id) {
		delete(w.nodes, b.id)
	}
	return nil
}

func (w *fakeNodes) Enable(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[id]; n != nil {
		n.started, n.disabled = true, false
		return nil
	}
	return errNoNode
}

func (w *fakeNodes) Media(nodes []devnode) []string {
	var out []string
	for _, n := range nodes {
		if p := w.media[n.id]; p != "" {
			out = append(out, p)
		}
	}
	return out
}

func (w *fakeNodes) Opens(path string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, p := range w.media {
		if p == path {
			return w.nodes[id] != nil, nil
		}
	}
	return false, nil
}

const (
	stickID = `USB\VID_0781&PID_5583\4C53`
	diskID  = `USBSTOR\Disk&Ven_SanDisk\4C53&0`
)

func aStick() *fakeNodes {
	return &fakeNodes{
		nodes: map[string]*devnode{stickID: {id: stickID, started: true}, diskID: {id: diskID, started: true}},
		under: map[string]string{diskID: stickID}, media: map[string]string{diskID: `\\?\usbstor#disk`},
		veto: map[string]bool{}, stuck: map[string]bool{},
	}
}

func stickDevice() policy.Device {
	return policy.Device{ID: stickID, Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindStorage}, Interfaces: []policy.Interface{{Class: 8, Subclass: 6, Protocol: 0x50}}}
}

func handOn(t *testing.T, w *fakeNodes) windowsHand {
	return windowsHand{w, ladder{reg: newHive(), dir: filepath.Join(t.TempDir(), "gate"), layered: true}}
}

func anAct() *act { return &act{ctx: context.Background(), now: time.Now} }

func told(a *act) string {
	var all []string
	for _, s := range a.steps {
		all = append(all, s.Code+" "+s.Detail)
	}
	return strings.Join(all, "; ")
}

func TestOnWindowsAStickIsDisabledVerifiedAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := aStick()
		h, a := handOn(t, w), anAct()
		if got := h.block(a, stickDevice()); got != policy.OutcomeBlocked || !w.nodes[stickID].disabled {
			t.Fatalf("%s: %s", got, told(a))
		}
		if got := h.block(anAct(), stickDevice()); got != policy.OutcomeBlocked {
			t.Errorf("again: %s", got)
		}
		a = anAct()
		if got := h.allow(a, stickDevice()); got != policy.OutcomeAllowed || !w.nodes[stickID].started || h.held(stickID) {
			t.Errorf("%s: %s", got, told(a))
		}
	})
}

func TestOnWindowsAProgramThatRefusesIsOverruled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := aStick()
		w.veto[stickID] = true
		if got := handOn(t, w).block(anAct(), stickDevice()); got != policy.OutcomeBlocked {
			t.Error(got)
		}
	})
}

func TestOnWindowsADeviceThatNeedsARestartIsAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := aStick()
		w.stuck[stickID] = true
		a := anAct()
		if got := handOn(t, w).block(a, stickDevice()); got != policy.OutcomeBlockFailed || !strings.Contains(told(a), "restart") {
			t.Errorf("%s: %s", got, told(a))
		}
	})
}

func TestOnWindowsAStickPulledOutWhileItIsDisabledIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := aStick()
		w.gone = func(string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			clear(w.nodes)
		}
		if got := handOn(t, w).block(anAct(), stickDevice()); got != policy.OutcomeRemoved {
			t.Error(got)
		}
	})
}

func TestOnWindowsADiskThatStillOpensIsNotCalledBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := aStick()
		delete(w.under, diskID) // the disk stays although its device is disabled
		w.media[stickID] = `\\?\left`
		a := anAct()
		if got := handOn(t, w).block(a, stickDevice()); got != policy.OutcomeBlockFailed || !strings.Contains(told(a), "opened") {
			t.Errorf("%s: %s", got, told(a))
		}
	})
}

func TestOnWindowsAStickThatTypesLosesEveryFunctionAndStaysVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, store, keys := `USB\VID_1&PID_2\X`, `USB\VID_1&PID_2&MI_00\Y`, `USB\VID_1&PID_2&MI_01\Y`
		w := aStick()
		for _, id := range []string{parent, store, keys} {
			w.nodes[id] = &devnode{id: id, started: true}
		}
		w.under[store], w.under[keys] = parent, parent
		dev := policy.Device{ID: parent, Bus: policy.BusUSB, Kinds: []policy.Kind{policy.KindKeyboard, policy.KindStorage}, Interfaces: []policy.Interface{{Class: 8}, {Class: 3}}}
		if got := handOn(t, w).block(anAct(), dev); got != policy.OutcomeBlocked {
			t.Fatal(got)
		}
		if w.nodes[parent].disabled || !w.nodes[store].disabled || !w.nodes[keys].disabled {
			t.Errorf("%+v %+v %+v", w.nodes[parent], w.nodes[store], w.nodes[keys])
		}
	})
}

func TestOnWindowsNobodyTakesKeyboardsHubsCardReadersOrTheSystemDisk(t *testing.T) {
	for _, kinds := range [][]policy.Kind{
		{policy.KindKeyboard}, {policy.KindHID, policy.KindMouse}, {policy.KindSmartCard}, {policy.KindHub}, {policy.KindHub, policy.KindStorage},
		{policy.KindSystem}, {policy.KindStorage, policy.KindSystem},
	} {
		w, dev := aStick(), stickDevice()
		dev.Kinds = kinds
		if got := handOn(t, w).block(anAct(), dev); got != policy.OutcomeBlockFailed || w.nodes[stickID].disabled {
			t.Errorf("%v: %s", kinds, got)
		}
	}
	w := aStick()
	w.nodes[diskID].system = "Windows runs from it"
	if got := handOn(t, w).block(anAct(), stickDevice()); got != policy.OutcomeBlockFailed || w.nodes[stickID].disabled {
		t.Error(got)
	}
}

func TestOnWindowsADeviceThatWaitsForItsDriverIsNotDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dev := aStick(), stickDevice()
		delete(w.nodes, diskID)
		w.nodes[stickID].started = true
		dev.Kinds, dev.Interfaces = []policy.Kind{policy.KindUnknown}, nil
		if got := handOn(t, w).block(anAct(), dev); got != policy.OutcomeBlocked || w.nodes[stickID].disabled {
			t.Errorf("%s %+v", got, w.nodes[stickID])
		}
	})
}

func TestOnWindowsWhatAnAdministratorDisabledStaysDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := aStick()
		w.nodes[stickID].started, w.nodes[stickID].disabled = false, true
		h := handOn(t, w)
		if got := h.allow(anAct(), stickDevice()); got != policy.OutcomeAllowed || !w.nodes[stickID].disabled {
			t.Errorf("%s %+v", got, w.nodes[stickID])
		}
	})
}

func TestOnWindowsAPermittedStickIsStartedAgainUnderTheLiftedPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := aStick()
		h, a := handOn(t, w), anAct()
		must(t, h.ladder.shut())
		if got := h.allow(a, stickDevice()); got != policy.OutcomeAllowed || !w.nodes[stickID].started {
			t.Fatalf("%s: %s", got, told(a))
		}
		if s := told(a); !strings.Contains(s, "permitted") || !strings.Contains(s, "enabled") {
			t.Error(s)
		}
		if got := h.block(anAct(), stickDevice()); got != policy.OutcomeBlocked || h.ladder.hasExceptions() {
			t.Error(got)
		}
		must(t, h.releaseAll())
		if !w.nodes[stickID].started {
			t.Error("still held after everything was given back")
		}
	})
}

func TestOnWindowsWhatIsNotPluggedInIsNamedWhenItCannotBeGivenBack(t *testing.T) {
	w := aStick()
	h := handOn(t, w)
	must(t, h.remember(`USB\VID_0781&PID_5583\AWAY`))
	if err := h.releaseAll(); err == nil || !strings.Contains(err.Error(), "AWAY") {
		t.Error(err)
	}
}

func TestOnWindowsOnlyEmptyFoldersOfNotesAreSwept(t *testing.T) {
	w := aStick()
	h := handOn(t, w)
	must(t, h.remember(stickID))
	h.sweep()
	if !h.held(stickID) {
		t.Error("what is held was forgotten")
	}
	must(t, h.releaseAll())
	h.sweep()
	if found, err := filepath.Glob(h.ladder.dir); err != nil || len(found) > 0 {
		t.Errorf("%q, %v", found, err)
	}
}
