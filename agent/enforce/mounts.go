package enforce

import (
	"bufio"
	"io"
	"path"
	"strings"
)

// mount is one line of mountinfo (https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html).
type mount struct {
	number string // major:minor of the file system
	point  string
	kind   string
	source string
}

// Bounds of mountinfo: container hosts have thousands of lines.
const (
	maxMounts    = 1 << 16
	maxMountLine = 64 << 10
)

// parseMounts reads mountinfo in its order; lines that make no sense are passed over.
func parseMounts(r io.Reader) []mount {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4096), maxMountLine)
	var out []mount
	for lines.Scan() && len(out) < maxMounts {
		if m, ok := parseMount(lines.Text()); ok {
			out = append(out, m)
		}
	}
	return out
}

// parseMount reads "36 35 98:0 /root /point options optional… - kind source super".
func parseMount(line string) (mount, bool) {
	left, right, ok := strings.Cut(line, " - ")
	l, r := strings.Fields(left), strings.Fields(right)
	if !ok || len(l) < 6 || len(r) < 2 {
		return mount{}, false
	}
	m := mount{number: l[2], point: unescape(l[4]), kind: r[0], source: unescape(r[1])}
	return m, strings.HasPrefix(m.point, "/") && !strings.Contains(m.point, "\x00")
}

// unescape undoes the kernel's octal escapes of space, tab, newline and backslash.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := octal(s[i:]); ok {
			b.WriteByte(c)
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' || s[1] > '3' {
		return 0, false
	}
	var n byte
	for _, c := range []byte(s[1:4]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | (c - '0')
	}
	return n, true
}

// node is one block device: a disk, a partition, or what was built upon one.
type node struct {
	name   string // sdb1
	number string // 8:17
	mapper string // name below /dev/mapper, "" when it is not a mapped one
	upper  bool   // built upon the device (LUKS, LVM, RAID)
}

// on picks the mounts that stand on one of the nodes, the latest mount first, which is the order to undo them in.
// The source is compared too because btrfs gives its mounts a number of no device.
func on(mounts []mount, nodes []node) []mount {
	var out []mount
	for i := len(mounts) - 1; i >= 0; i-- {
		for _, n := range nodes {
			if n.carries(mounts[i]) {
				out = append(out, mounts[i])
				break
			}
		}
	}
	return out
}

func (n node) carries(m mount) bool {
	return n.number != "" && m.number == n.number ||
		m.source == "/dev/"+n.name ||
		n.mapper != "" && m.source == "/dev/mapper/"+n.mapper
}

// systemPoint says that a machine lives on what is mounted there: nothing below it is ever taken away,
// whatever a policy says. Where people's media are mounted (/media, /run/media, /mnt) is not among them.
func systemPoint(point string) bool {
	switch path.Clean(point) {
	case "/", "/home", "/opt", "/srv", "/tmp", "/root", "/nix", "/efi", "/sysroot":
		return true
	}
	for _, tree := range []string{"/usr", "/boot", "/var"} {
		if point == tree || strings.HasPrefix(point, tree+"/") {
			return true
		}
	}
	return false
}

// parseSwaps reads the device paths of /proc/swaps.
func parseSwaps(text string) []string {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 0 && strings.HasPrefix(f[0], "/dev/") {
			out = append(out, unescape(f[0]))
		}
	}
	return out
}
