package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// shedProgram gives the pages of the program's own file back to the kernel, which maps whole neighbourhoods of what is
// called once (fault-around): what only the start needed goes, what is called again comes back without the disk.
// Only mappings that cannot be written are touched; their content is the file's
// (https://man7.org/linux/man-pages/man2/madvise.2.html, MADV_DONTNEED).
func shedProgram() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	for line := range bytes.Lines(maps) {
		if from, to, ok := ownMapping(string(line), self); ok {
			if err := dropPages(from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownMapping reads one line of /proc/self/maps and says whether it is a part of this file that cannot be written
// (https://man7.org/linux/man-pages/man5/proc_pid_maps.5.html).
func ownMapping(line, file string) (from, to uintptr, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[5] != file || strings.Contains(f[1], "w") || !strings.HasSuffix(f[1], "p") {
		return 0, 0, false
	}
	low, high, _ := strings.Cut(f[0], "-")
	a, err1 := strconv.ParseUint(low, 16, 64)
	b, err2 := strconv.ParseUint(high, 16, 64)
	return uintptr(a), uintptr(b), err1 == nil && err2 == nil && a < b
}

func dropPages(from, to uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
		return errno
	}
	return nil
}
