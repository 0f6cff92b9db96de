package sensor

import (
	"path"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// claim marks a device as the machine's own. Outside USB its kind is then that and no other: it is not a medium.
// A USB disk that holds the running system stays a stick as well, so that records tell.
func claim(d *policy.Device) {
	if d.Bus != policy.BusUSB {
		d.Kinds = nil
	}
	d.Kinds = append(d.Kinds, policy.KindSystem)
	slices.Sort(d.Kinds)
	d.Kinds = slices.Compact(d.Kinds)
}

// born says whether a device that is there at the first start in a boot is the machine's own: every disk outside USB,
// memory soldered to the board, and whatever the running system itself is mounted from.
func (t tree) born(sub subject, d policy.Device, root map[string]bool) bool {
	switch {
	case root[sub.key()]:
		return true
	case sub.bus == policy.BusUSB, d.Has(policy.KindOptical):
		return false
	case sub.bus == policy.BusMMC:
		return t.attr(sub.dir, "type") == "MMC"
	}
	return true
}

// rootDisks finds what "/" is mounted from, through encryption, logical volumes and mirrors.
func (t tree) rootDisks() map[string]bool {
	found := map[string]bool{}
	mounts, _ := t.read("proc/self/mountinfo", 1<<20)
	for _, line := range strings.Split(string(mounts), "\n") {
		// id, parent, major:minor, root, mount point, … (proc_pid_mountinfo(5))
		if f := strings.Fields(line); len(f) > 4 && f[4] == "/" {
			if dir, ok := t.real(path.Join("sys/dev/block", f[2])); ok {
				t.hold(dir, found, 4)
			}
		}
	}
	return found
}

func (t tree) hold(dir string, found map[string]bool, depth int) {
	if sub, ok := subjectOf("/" + strings.TrimPrefix(dir, "sys/")); ok {
		found[sub.key()] = true
	}
	slaves := path.Join(dir, "slaves")
	for _, name := range t.names(slaves) {
		if below, ok := t.real(path.Join(slaves, name)); ok && depth > 0 {
			t.hold(below, found, depth-1)
		}
	}
}
