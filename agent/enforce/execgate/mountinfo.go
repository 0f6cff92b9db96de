package execgate

import (
	"slices"
	"strconv"
	"strings"
)

// mount is one line of /proc/PID/mountinfo (https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html).
type mount struct {
	dev    uint64 // as deviceNumber makes it
	point  string
	fsType string
	noexec bool
}

// deviceNumber is how this package writes a device's two numbers in one.
func deviceNumber(major, minor uint32) uint64 { return uint64(major)<<32 | uint64(minor) }

// parseMounts reads a mountinfo file; a line that it does not understand is left out.
func parseMounts(text string) (all []mount) {
	for line := range strings.Lines(text) {
		if m, ok := parseMount(strings.TrimSuffix(line, "\n")); ok {
			all = append(all, m)
		}
	}
	return all
}

func parseMount(line string) (m mount, ok bool) {
	left, right, ok := strings.Cut(line, " - ")
	f, g := strings.Split(left, " "), strings.Split(right, " ")
	if !ok || len(f) < 6 || len(g) < 1 {
		return m, false
	}
	major, minor, ok := strings.Cut(f[2], ":")
	a, err1 := strconv.ParseUint(major, 10, 32)
	b, err2 := strconv.ParseUint(minor, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return m, false
	}
	return mount{deviceNumber(uint32(a), uint32(b)), unescape(f[4]), g[0], slices.Contains(strings.Split(f[5], ","), "noexec")}, true
}

// unescape undoes the octal escapes of blanks and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// What the kernel itself offers as files: nothing that somebody brought can be run from there.
// Device nodes are left alone too: opening one can move a tape.
var kernelsOwn = []string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl",
	"hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "resctrl", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs",
}

// watched says whether programs and scripts on a file system are judged.
func watched(fsType string) bool { return !slices.Contains(kernelsOwn, fsType) }

// foreign says whether reading from a file system may wait for somebody else, a server or a user's own program: its
// files are judged by their path, and never read.
func foreign(fsType string) bool {
	return fsType == "fuse" || strings.HasPrefix(fsType, "fuse.") || slices.Contains([]string{"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs"}, fsType)
}
