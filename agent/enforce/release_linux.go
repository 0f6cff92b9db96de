package enforce

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sekisho/internal/policy"
)

// releaseAll lets everything go that the gate or the hand held. It knows them by their state, not by memory,
// so that it also works for what an agent held that died since.
func (g *Gate) releaseAll(ctx context.Context) error {
	var all error
	for _, dev := range g.held() {
		a := &act{ctx: ctx, now: g.now}
		if w, err := g.sys.way(dev); err == nil {
			w.give(a)
		}
		for _, s := range a.steps {
			if !s.OK {
				all = errors.Join(all, fmt.Errorf("cannot release %s: %s", dev.ID, s.Detail))
			}
		}
	}
	return all
}

// held lists what stands unauthorised, or without the driver that the hand takes away.
func (g *Gate) held() []policy.Device {
	var out []policy.Device
	for _, bus := range []string{policy.BusUSB, policy.BusMMC, policy.BusSCSI, policy.BusNVMe} {
		for _, name := range g.tree.names(g.tree.path("sys/bus", folder(bus), "devices")) {
			dir, err := g.tree.device(folder(bus), name)
			if err == nil && g.isHeld(bus, name, dir) {
				out = append(out, policy.Device{ID: name, Bus: bus})
			}
		}
	}
	return out
}

// folder is where a bus is in sysfs.
func folder(bus string) string {
	if bus == policy.BusNVMe {
		return "pci"
	}
	return bus
}

func (g *Gate) isHeld(bus, name, dir string) bool {
	switch bus {
	case policy.BusUSB:
		return !strings.Contains(name, ":") && g.hasUnauthorised(name, dir)
	case policy.BusMMC:
		return driver(dir) == ""
	case policy.BusSCSI:
		// a disk that the kernel itself gave up is offline too, but keeps its driver
		state, _ := attr(dir, "state")
		return state == "offline" && driver(dir) == ""
	}
	class, _ := attr(dir, "class")
	return strings.HasPrefix(class, pciStorage) && driver(dir) == "" && !overridden(dir)
}

// overridden says that somebody keeps the disk for another driver, such as a virtual machine's.
func overridden(dir string) bool {
	to, _ := attr(dir, "driver_override")
	return to != "" && to != "(null)"
}

func (g *Gate) hasUnauthorised(name, dir string) bool {
	for _, child := range g.tree.names(dir) {
		if !strings.HasPrefix(child, name+":") {
			continue
		}
		if on, _ := attr(filepath.Join(dir, child), "authorized"); on == "0" {
			return true
		}
	}
	return false
}
