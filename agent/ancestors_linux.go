package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ancestors are the processes above this one, up to the first.
func ancestors() (all []ancestor) {
	for pid := os.Getppid(); pid > 1 && len(all) < 32; {
		at := "/proc/" + strconv.Itoa(pid)
		exe, _ := os.Readlink(at + "/exe") // another user's: its name is unknown
		dir, _ := os.Readlink(at + "/cwd")
		text, _ := os.ReadFile(at + "/cmdline")
		args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		all = append(all, ancestor{pid: pid, program: filepath.Base(strings.TrimSuffix(exe, " (deleted)")), args: args, dir: dir})
		stat, err := os.ReadFile(at + "/stat")
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if err != nil || len(f) < 2 {
			break
		}
		if pid, err = strconv.Atoi(f[1]); err != nil {
			break
		}
	}
	return all
}
