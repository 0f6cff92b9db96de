package health

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// hardware lists what is other than it was at first: memory taken out, a disk changed.
func (e *Eyes) hardware() policy.Reading {
	o := e.of(policy.FactHardware, "/proc/meminfo, /sys/block")
	now, err := e.parts()
	if err != nil {
		return unread(o, err)
	}
	if e.Before == nil {
		return o.Unread(policy.CodeNoReference, "cannot compare hardware: nothing is noted of it")
	}
	before, err := e.Before(now)
	if err != nil {
		return unread(o, err)
	}
	return o.List(policy.Lines(policy.Changed(before, now)))
}

// parts names memory and fixed disks. The kernel keeps a part of the memory for itself, and not always the same, so that
// only quarters of a gigabyte count.
func (e *Eyes) parts() ([]string, error) {
	text, err := e.tree.read("/proc/meminfo", 64<<10)
	if err != nil {
		return nil, err
	}
	size := memory(string(text))
	if size == 0 {
		return nil, fmt.Errorf("cannot tell how much memory there is")
	}
	out := []string{fmt.Sprintf("memory %d MiB", size)}
	find := finder{tree: e.tree}
	for _, d := range find.glob("/sys/block/*") {
		if w := e.disk(d); w != "" {
			out = append(out, w)
		}
	}
	if find.err != nil {
		return nil, find.err
	}
	slices.Sort(out)
	return out, nil
}

const quarter = 256 << 10 // KiB

func memory(text string) int64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "MemTotal:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return (n + quarter - 1) / quarter * 256
		}
	}
	return 0
}

// disk describes a fixed disk; what is virtual, removable or behind USB is none.
func (e *Eyes) disk(dir string) string {
	if !e.tree.exists(dir + "/device") {
		return ""
	}
	get := func(name string) string {
		s, _ := e.tree.text(dir + "/" + name)
		return strings.TrimSpace(s)
	}
	if get("removable") == "1" || strings.Contains(e.tree.link(dir), "/usb") {
		return ""
	}
	sectors, _ := strconv.ParseInt(get("size"), 10, 64)
	serial := get("device/serial")
	if serial == "" {
		serial = get("serial")
	}
	if serial == "" {
		serial = get("wwid")
	}
	return strings.Join(strings.Fields(fmt.Sprintf("disk %s %s %s %d MiB", path.Base(dir), get("device/model"), serial, sectors/2048)), " ")
}
