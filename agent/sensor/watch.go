package sensor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// patience is how long a device may take to show its interfaces before it is reported as it is.
const patience = time.Second

// maxDevices bounds what is remembered; no machine has a tenth of it.
const maxDevices = 4096

// source gives the kernel's events one by one; errOverflow says that some were lost. Next ends with
// another error when the source was closed.
type source interface {
	Next() (uevent, error)
	Close() error
}

// watcher knows what is attached. Its fields belong to the goroutine in run.
type watcher struct {
	options Options
	tree    tree
	here    map[string]*entry // by subject.key
	system  map[string]bool   // systemName of the machine's own
	queue   queue
	who     sitter
	seen    time.Time // when the kernel told of what is being handled; zero when nobody told
}

// entry is one attached device.
type entry struct {
	sub        subject
	device     policy.Device
	system     bool            // the machine's own
	present    bool            // was there before we started
	devnum     string          // USB: tells this insertion from the next one on the same port
	interfaces map[string]bool // USB: those it had when last told
	seen       time.Time       // when the kernel told of it
	told       bool            // attach was queued
	due        time.Time       // when it is told in any case
}

// signal is one result of source.Next.
type signal struct {
	event uevent
	err   error
}

// watch enumerates what is there and then follows the source, which must be listening already.
func watch(ctx context.Context, o Options, t tree, src source) <-chan policy.Event {
	out := make(chan policy.Event, 64)
	signals := make(chan signal, 256)
	context.AfterFunc(ctx, func() { src.Close() })
	go pump(ctx, src, signals)
	w := &watcher{options: o, tree: t, here: map[string]*entry{}}
	go func() {
		defer close(out)
		w.start()
		w.run(ctx, signals, out)
	}()
	return out
}

func pump(ctx context.Context, src source, signals chan<- signal) {
	defer close(signals)
	for {
		ev, err := src.Next()
		select {
		case signals <- signal{ev, err}:
		case <-ctx.Done():
			return
		}
		if err != nil && !errors.Is(err, errOverflow) {
			return
		}
	}
}

// run never waits for the guard: what it does not fetch stays in the queue.
func (w *watcher) run(ctx context.Context, signals <-chan signal, out chan<- policy.Event) {
	for {
		next, offer := w.queue.next(out)
		alarm, stop := w.alarm()
		select {
		case s, ok := <-signals:
			if !ok || !w.receive(ctx, s) {
				stop()
				return // deaf: who reads the channel must hear of it
			}
		case offer <- next:
			w.queue.pop()
		case <-alarm:
			w.overdue()
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

func (w *watcher) receive(ctx context.Context, s signal) bool {
	switch {
	case s.err == nil:
		w.seen = s.event.at
		w.handle(s.event)
		w.seen = time.Time{}
	case errors.Is(s.err, errOverflow):
		w.options.Log.Warn().Msg("kernel events were lost, looking at all devices again")
		w.again()
	case ctx.Err() == nil:
		w.options.Log.Error().Err(s.err).Msg("kernel events ended")
		return false
	}
	return true
}

// alarm runs only while a device is waited for, so that an idle agent never wakes up.
func (w *watcher) alarm() (<-chan time.Time, func() bool) {
	var due time.Time
	for _, e := range w.here {
		if !e.told && (due.IsZero() || e.due.Before(due)) {
			due = e.due
		}
	}
	if due.IsZero() {
		return nil, func() bool { return false }
	}
	timer := time.NewTimer(time.Until(due))
	return timer.C, timer.Stop
}

func (w *watcher) overdue() {
	now := time.Now()
	for _, key := range w.keys() {
		if e := w.here[key]; !e.told && !e.due.After(now) {
			w.look(e)
			w.tell(e)
		}
	}
}

func (w *watcher) keys() []string { return slices.Sorted(maps.Keys(w.here)) }

// handle takes one event of the kernel.
func (w *watcher) handle(ev uevent) {
	sub, ok := w.subject(ev)
	if !ok {
		return
	}
	e := w.here[sub.key()]
	if sub.dir != "sys"+ev.path { // something below the device
		w.below(e, sub, ev)
		return
	}
	switch ev.action {
	case "add":
		w.add(e, sub, ev)
	case "remove":
		w.leave(e)
	case "bind", "change":
		w.bind(e, sub, ev)
	}
}

// subject also finds NVMe disks that have no driver yet: a PCI event says so only by the device's class.
func (w *watcher) subject(ev uevent) (subject, bool) {
	if ev.subsystem != "pci" {
		return subjectOf(ev.path)
	}
	sub := subject{policy.BusNVMe, "sys" + ev.path}
	return sub, w.here[sub.key()] != nil || w.tree.isNVMe(sub.dir)
}

// add begins a visit. The same one may be known already, from the enumeration that ran meanwhile.
func (w *watcher) add(e *entry, sub subject, ev uevent) {
	if e != nil && (sub.bus != policy.BusUSB || e.devnum == ev.devnum) {
		w.refresh(e)
		return
	}
	w.leave(e)
	w.arrive(sub, ev, false)
}

// bind: the kernel has chosen a configuration, or given up.
func (w *watcher) bind(e *entry, sub subject, ev uevent) {
	switch {
	case sub.bus == policy.BusUSB && w.stale(sub, ev):
	case e == nil:
		w.arrive(sub, ev, false)
	case !e.told && ev.action == "bind" && sub.bus == policy.BusUSB:
		w.look(e)
		w.tell(e)
	case ev.action == "bind" && sub.bus == policy.BusUSB && w.sameParts(e):
		// It was told at its last interface's "add"; nothing has changed since, and the hands need the processor.
	default:
		w.refresh(e)
	}
}

// stale: the event is about an insertion that has already been followed by another one on the same port.
func (w *watcher) stale(sub subject, ev uevent) bool {
	return ev.devnum != "" && w.tree.attr(sub.dir, "devnum") != ev.devnum
}

// below: an interface came or went, or a medium did.
func (w *watcher) below(e *entry, sub subject, ev uevent) {
	switch {
	case e == nil && ev.action != "remove":
		w.arrive(sub, ev, false)
	case e == nil:
	case ev.subsystem == "block" && e.told:
		if ev.action != "remove" { // its size is 0 on the way out
			w.measure(e)
		}
	case ev.devtype == "usb_interface":
		w.part(e, ev)
	default:
		w.refresh(e)
	}
}

// part keeps count of interfaces, so that hands hear of those that come later: usbmuxd and others change the
// configuration of a telephone, and new interfaces stand before a shut gate again.
func (w *watcher) part(e *entry, ev uevent) {
	name := ev.path[strings.LastIndexByte(ev.path, '/')+1:]
	switch {
	case !e.told:
		w.refresh(e)
	case ev.action == "remove":
		delete(e.interfaces, name)
	case ev.action == "add" && !e.interfaces[name] && w.tree.settled(e.sub):
		w.look(e)
		w.change(e)
	}
}
