package execgate

import (
	"strconv"
	"strings"
)

// call is what a waiting thread asked the kernel for (https://man7.org/linux/man-pages/man5/proc_pid_syscall.5.html).
type call struct {
	number int64
	args   [6]uint64
	pc     uint64
}

// parseCall reads /proc/PID/task/TID/syscall; a thread that runs, or is not in a system call, has none.
func parseCall(text string) (c call, ok bool) {
	f := strings.Fields(text)
	if len(f) != 9 {
		return c, false
	}
	var err error
	if c.number, err = strconv.ParseInt(f[0], 10, 64); err != nil || c.number < 0 {
		return c, false
	}
	for i := range c.args {
		if c.args[i], err = hexNumber(f[1+i]); err != nil {
			return c, false
		}
	}
	c.pc, err = hexNumber(f[8])
	return c, err == nil
}

func hexNumber(s string) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
}

// mappedAt gives the inode and the path of what a process has mapped at an address (proc_pid_maps(5)).
func mappedAt(maps string, address uint64) (inode uint64, path string) {
	for line := range strings.Lines(maps) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		low, high, _ := strings.Cut(f[0], "-")
		a, err1 := hexNumber(low)
		b, err2 := hexNumber(high)
		if err1 != nil || err2 != nil || address < a || address >= b {
			continue
		}
		inode, _ = strconv.ParseUint(f[4], 10, 64)
		if len(f) > 5 {
			path = strings.Join(f[5:], " ")
		}
		return inode, path
	}
	return 0, ""
}

// isLoader says whether a file is a dynamic loader by its name; musl's is the C library itself.
func isLoader(path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	return strings.HasPrefix(base, "ld-") || strings.HasPrefix(base, "ld.so") || strings.HasPrefix(base, "ld64.so")
}
