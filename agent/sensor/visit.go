package sensor

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// start reports what is there already.
func (w *watcher) start() {
	first := w.options.System == nil
	w.system = map[string]bool{}
	for _, name := range w.options.System {
		w.system[name] = true
	}
	root := map[string]bool{}
	if first {
		root = w.tree.rootDisks()
	}
	for _, sub := range w.tree.list() {
		if first {
			w.own(sub, root)
		}
		w.arrive(sub, uevent{}, true)
	}
	w.options.Log.Info().Int("devices", len(w.here)).Str("boot", w.options.Boot).Msg("watching devices")
}

func (w *watcher) own(sub subject, root map[string]bool) {
	if d, ok := w.tree.describe(sub); ok && w.tree.born(sub, d, root) {
		w.system[systemName(d)] = true
	}
}

// again finds the differences after events were lost.
func (w *watcher) again() {
	there := map[string]subject{}
	for _, sub := range w.tree.list() {
		there[sub.key()] = sub
	}
	for _, key := range w.keys() {
		sub, ok := there[key]
		if e := w.here[key]; !ok || sub.dir != e.sub.dir || w.devnum(sub) != e.devnum {
			w.leave(e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(there)) {
		sub := there[key]
		if e := w.here[key]; e != nil {
			w.refresh(e)
			continue
		}
		w.arrive(sub, uevent{}, false)
	}
}

func (w *watcher) devnum(sub subject) string { return w.tree.attr(sub.dir, "devnum") }

// arrive begins a visit: told at once when the hands can work on it, else within patience.
func (w *watcher) arrive(sub subject, ev uevent, present bool) {
	whole := w.tree.settled(sub) // asked first: what is read after it holds every interface
	d, ok := w.tree.describe(sub)
	devnum := w.devnum(sub)
	if sub.bus == policy.BusUSB && ev.action == "add" && ev.devnum != "" && ev.devnum != devnum {
		d, ok = ghost(sub, ev), true // followed by another insertion on the same port
	}
	if !ok {
		return
	}
	if len(w.here) >= maxDevices {
		w.options.Log.Error().Str("device", d.ID).Msg("too many devices, not watched")
		return
	}
	e := &entry{sub: sub, device: d, present: present, devnum: ev.devnum, seen: w.time()}
	e.due = time.Now().Add(e.patience())
	if e.devnum == "" {
		e.devnum = devnum
	}
	e.system = w.system[systemName(d)]
	e.claim()
	w.here[sub.key()] = e
	if whole && devnum == e.devnum {
		w.tell(e)
		return
	}
	w.refresh(e)
}

// patience is longer with a disk whose driver is still to be loaded: nothing can be read from it before,
// and blocked without its serial it could not be granted.
func (e *entry) patience() time.Duration {
	if e.sub.bus == policy.BusNVMe && !e.present {
		return 10 * patience
	}
	return patience
}

func (e *entry) claim() {
	if e.system {
		claim(&e.device)
	}
}

// ghost is what was pulled out before it could be read: all we have is what the kernel's message said.
// It is not the device that may sit on the same port by now.
func ghost(sub subject, ev uevent) policy.Device {
	d := policy.Device{ID: sub.id(), Bus: sub.bus, Port: sub.id(), Kinds: []policy.Kind{policy.KindUnknown}}
	d.Fault = "pulled out before it could be read"
	if id := strings.Split(ev.product, "/"); len(id) == 3 {
		d.Vendor, d.Product = fourDigits(id[0]), fourDigits(id[1])
	}
	return d
}

// refresh tells a device that has settled, and new facts of one that was told.
func (w *watcher) refresh(e *entry) {
	if !e.told {
		if w.tree.settled(e.sub) && w.glance(e) {
			w.tell(e)
		}
		return
	}
	if old := e.device; w.look(e) && !reflect.DeepEqual(old, e.device) {
		w.change(e)
	}
}

// glance looks at no more than what can have changed since the kernel's "add": a USB device's facts
// were complete then, and the hands are waiting.
func (w *watcher) glance(e *entry) bool {
	if e.sub.bus != policy.BusUSB {
		return w.look(e)
	}
	seen := e.device
	seen.Interfaces = slices.Clone(seen.Interfaces)
	if hidden, mtp := w.tree.crossCheck(e.sub.dir, &seen); hidden || mtp {
		return w.look(e)
	}
	return w.devnum(e.sub) == e.devnum
}

// look reads the facts again. It keeps the last ones where there are none any more: the device is being pulled out,
// or a driver was taken away from it, which is what a hand does to block it.
func (w *watcher) look(e *entry) bool {
	d, ok := w.tree.describe(e.sub)
	if !ok || e.sub.bus == policy.BusUSB && w.devnum(e.sub) != e.devnum {
		return false
	}
	if e.told && d.Bus == policy.BusNVMe && w.tree.controller(e.sub.dir) == "" {
		return true
	}
	if _, known := w.tree.capacity(e.sub); !known {
		d.Capacity = e.device.Capacity
	}
	e.device = d
	e.claim()
	return true
}

// measure reads the size of the medium, which is 0 again when it was taken out of a reader. Where no block device is
// left the last size stays: a hand took it away, and a rule about sizes must not change its mind because of that.
func (w *watcher) measure(e *entry) {
	if size, known := w.tree.capacity(e.sub); known && size != e.device.Capacity {
		e.device.Capacity = size
		w.change(e)
	}
}

// leave ends a visit. One that was never told is told now: it was there.
func (w *watcher) leave(e *entry) {
	if e == nil {
		return
	}
	w.tell(e)
	w.put(e, policy.EventDetach)
	delete(w.here, e.sub.key())
	delete(w.system, systemName(e.device)) // whatever comes into its place is not the machine's own
}

func (w *watcher) tell(e *entry) {
	if e.told {
		return
	}
	e.told = true
	w.remember(e)
	w.put(e, policy.EventAttach)
}

func (w *watcher) change(e *entry) {
	w.remember(e)
	w.put(e, policy.EventChange)
}

func (w *watcher) remember(e *entry) {
	e.interfaces = map[string]bool{}
	if e.sub.bus != policy.BusUSB {
		return
	}
	for _, name := range w.tree.interfaces(e.sub.dir) {
		e.interfaces[name] = true
	}
}

// sameParts says whether a USB device has the interfaces that it had when it was last told.
func (w *watcher) sameParts(e *entry) bool {
	now := w.tree.interfaces(e.sub.dir)
	return len(now) == len(e.interfaces) && all(now, func(name string) bool { return e.interfaces[name] })
}

func (w *watcher) time() time.Time {
	if w.seen.IsZero() {
		return w.options.Now()
	}
	return w.seen
}

func (w *watcher) put(e *entry, what string) {
	seen := w.time()
	if what == policy.EventAttach {
		seen = e.seen
	}
	w.queue.put(e.sub.key(), policy.Event{
		What: what, Device: e.device, SeenAt: seen, User: w.who.user(w.tree, time.Now()), // the files' clock
		Present: e.present && what == policy.EventAttach,
	})
}
