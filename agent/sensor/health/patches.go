package health

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/version"
)

func (e *Eyes) linuxPatches(ctx context.Context) []policy.Reading {
	var out []policy.Reading
	switch {
	case e.tree.exists("/var/lib/dpkg/status"):
		out = append(out, e.debUpdates(ctx)...)
	case e.tree.exists("/var/lib/rpm") || e.tree.exists("/usr/lib/sysimage/rpm"):
		out = append(out, e.rpmUpdates(ctx)...)
	default:
		out = append(out, e.of(policy.FactUpdates, "").Unread(policy.CodeNoSource, "cannot find the packages of dpkg or rpm"),
			e.of(policy.FactUpdatesAsOf, "").Unread(policy.CodeNoSource, "cannot find the packages of dpkg or rpm"))
	}
	return append(out, e.reboots(), e.support())
}

// noticed dates what is missing by when it was noticed first: package lists do not say when a version came out.
func (e *Eyes) noticed(words []string) []policy.Entry {
	out := policy.Lines(words)
	if e.Seen != nil {
		for i := range out {
			out[i].At = e.Seen(out[i].Word)
		}
	}
	return out
}

// reboots says what waits for a restart: what packages asked for, and a kernel that is installed and does not run.
func (e *Eyes) reboots() policy.Reading {
	o := e.of(policy.FactReboots, "/run/reboot-required, /boot")
	var waiting []string
	if e.tree.exists("/run/reboot-required") || e.tree.exists("/var/run/reboot-required") {
		names, _ := e.tree.text("/run/reboot-required.pkgs")
		if waiting = uniqueFields(names); len(waiting) == 0 {
			waiting = []string{"reboot-required"}
		}
	}
	newest, err := e.newestKernel()
	if err != nil && len(waiting) == 0 {
		return unread(o, err)
	}
	if newest != "" {
		waiting = append(waiting, newest)
	}
	return o.List(policy.Lines(waiting))
}

// newestKernel names the installed kernel that is newer than the running one; "" is none.
func (e *Eyes) newestKernel() (string, error) {
	running := e.running()
	if running == "" {
		return "", fmt.Errorf("cannot tell the running kernel")
	}
	find := finder{tree: e.tree}
	files := find.glob("/boot/vmlinuz-*")
	if find.err != nil {
		return "", find.err
	}
	newest, known := "", false
	for _, f := range files {
		v := strings.TrimPrefix(path.Base(f), "vmlinuz-")
		if flavour(v) != flavour(running) || strings.Contains(v, "rescue") {
			continue
		}
		known = known || v == running
		if version.Compare(v, running) > 0 && (newest == "" || version.Compare(v, newest) > 0) {
			newest = v
		}
	}
	if !known && newest == "" {
		return "", fmt.Errorf("cannot compare kernels: /boot does not show the running %s", running)
	}
	if newest == "" {
		return "", nil
	}
	return "kernel " + running + " → " + newest, nil
}

// running is the running kernel, as /proc says it.
func (e *Eyes) running() string {
	text, _ := e.tree.text("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(text)
}

// flavour is what a kernel is built for: amd64, cloud-amd64, generic, x86_64.
func flavour(release string) string {
	i := strings.IndexFunc(release, func(c rune) bool { return c >= 'a' && c <= 'z' })
	for i > 0 && strings.HasPrefix(release[i:], "el") || i > 0 && strings.HasPrefix(release[i:], "bpo") || i > 0 && strings.HasPrefix(release[i:], "deb") {
		j := strings.IndexAny(release[i:], ".-")
		if j < 0 {
			return ""
		}
		rest := release[i+j:]
		k := strings.IndexFunc(rest, func(c rune) bool { return c >= 'a' && c <= 'z' })
		if k < 0 {
			return ""
		}
		i += j + k
	}
	if i < 0 {
		return ""
	}
	return release[i:]
}

func uniqueFields(s string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range strings.Fields(s) {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// support says when the system's own maker stops mending it.
func (e *Eyes) support() policy.Reading {
	o := e.of(policy.FactSupportEnd, "/etc/os-release")
	text, err := e.tree.text("/etc/os-release")
	if text == "" && err == nil {
		text, err = e.tree.text("/usr/lib/os-release")
	}
	if err != nil {
		return unread(o, err)
	}
	id, release := osRelease(text)
	if id == "" {
		return o.Unread(policy.CodeMissing, "cannot tell the system: os-release has no ID")
	}
	o.Label = strings.TrimSpace(id + " " + release)
	table, err := e.supportTable()
	if err != nil {
		return o.Unread(policy.CodeNoReference, err.Error())
	}
	end, ok := table.end(id, release)
	if !ok {
		return o.Unread(policy.CodeNoReference, fmt.Sprintf("cannot say when support of %s %s ends: it is not in the table of %s", id, release, table.Made))
	}
	o.Source = "table of " + table.Made
	return o.Time(end)
}

// osRelease reads ID and VERSION_ID (os-release(5)).
func osRelease(text string) (id, release string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value = strings.Trim(value, `"'`); name {
		case "ID":
			id = value
		case "VERSION_ID":
			release = value
		}
	}
	return id, release
}

// day reads a day of a table.
func day(s string) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return t, err == nil
}
