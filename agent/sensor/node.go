package sensor

import (
	"cmp"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// Setup classes (https://learn.microsoft.com/windows-hardware/drivers/install/system-defined-device-setup-classes-available-to-vendors).
const (
	classDiskDrive = "{4d36e967-e325-11ce-bfc1-08002be10318}"
	classCDROM     = "{4d36e965-e325-11ce-bfc1-08002be10318}"
	classTape      = "{6d807884-7d21-11cf-801c-08002be10318}"
	classFloppy    = "{4d36e980-e325-11ce-bfc1-08002be10318}"
	classWPD       = "{eec5ad98-8080-425f-922a-dabf3de3f69a}"
)

// maxDepth bounds the walk to a parent; real trees are a dozen deep, and a broken one must not turn in circles.
const maxDepth = 64

// node is one device node of Windows as it was read, before anybody makes sense of it.
type node struct {
	id         string
	parent     string // instance id
	class      string // setup class, lower case
	hardware   []string
	compatible []string
	name       string // the device's own words where Windows passes them on
	maker      string
	location   string
	removable  bool // its removal policy expects that people pull it out
	started    bool
	problem    uint32 // of Device Manager, 0 none
	medium     *medium
	capacity   int64
	system     bool // Windows itself runs from it
}

// sighting is one device as a look at the machine found it.
type sighting struct {
	device  policy.Device
	settled bool // Windows has made up its mind about it
	system  bool // the machine's own, if this is the first look in a boot
}

// forest is all nodes of one look.
type forest struct {
	byID map[string]node // by upper-case id
	keys []string
	kids map[string][]string
}

func newForest(nodes []node) forest {
	f := forest{byID: map[string]node{}, kids: map[string][]string{}}
	for _, n := range nodes {
		f.byID[strings.ToUpper(n.id)] = n
	}
	for key, n := range f.byID {
		f.keys = append(f.keys, key)
		up := strings.ToUpper(n.parent)
		f.kids[up] = append(f.kids[up], key)
	}
	slices.Sort(f.keys)
	for _, kids := range f.kids {
		slices.Sort(kids)
	}
	return f
}

// sightings makes one device of each USB device with all its functions and disks, and of each disk, card and drive
// that hangs on no USB device.
func (f forest) sightings() []sighting {
	var out []sighting
	for _, key := range f.keys {
		if s, ok := f.sight(f.byID[key]); ok {
			s.device.ID = f.byID[key].id
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b sighting) int { return cmp.Compare(a.device.ID, b.device.ID) })
	return out
}

func (f forest) sight(n node) (sighting, bool) {
	id, ok := parseInstance(n.id)
	if !ok {
		return sighting{}, false
	}
	switch owner, found := f.owner(n); {
	case found && owner.id == n.id:
		return f.usb(n, id), true
	case found:
		return sighting{}, false // a part of that device
	case id.enumerator == "SD":
		return f.card(n, id)
	case f.cardAbove(n):
		return sighting{}, false
	}
	return f.disk(n)
}

// owner finds the USB device that a node is, or hangs on.
func (f forest) owner(n node) (node, bool) {
	for range maxDepth {
		id, ok := parseInstance(n.id)
		up, more := f.byID[strings.ToUpper(n.parent)]
		if _, _, is := id.usb(); ok && is {
			return n, true
		}
		if !more {
			return n, ok && id.function() // its parent cannot be read: better twice than not at all
		}
		n = up
	}
	return node{}, false
}

func (f forest) cardAbove(n node) bool {
	for range maxDepth {
		up, ok := f.byID[strings.ToUpper(n.parent)]
		if !ok {
			return false
		}
		if id, ok := parseInstance(up.id); ok && id.enumerator == "SD" {
			return true
		}
		n = up
	}
	return false
}

// below lists what hangs on a node, without other USB devices and theirs.
func (f forest) below(n node) []node {
	var out []node
	queue, seen := []string{strings.ToUpper(n.id)}, map[string]bool{}
	for len(queue) > 0 && len(out) < maxDevices {
		key := queue[0]
		queue = queue[1:]
		for _, kid := range f.kids[key] {
			id, ok := parseInstance(f.byID[kid].id)
			if _, _, other := id.usb(); !ok || other || seen[kid] {
				continue
			}
			seen[kid] = true
			out = append(out, f.byID[kid])
			queue = append(queue, kid)
		}
	}
	return out
}
