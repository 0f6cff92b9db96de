package execgate

import (
	"bytes"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is one that waits for an answer, read from /proc; what is there is true as long as it waits.
type process int32

func (p process) at(name string) string { return "/proc/" + strconv.Itoa(int(p)) + "/" + name }

func (p process) text(name string) string {
	b, err := os.ReadFile(p.at(name))
	if err != nil {
		return ""
	}
	return string(b)
}

// program is the path of what the process runs.
func (p process) program() string { return readLink(p.at("exe")) }

func (p process) uid() int {
	f, err := statPath(p.at(""))
	if err != nil {
		return -1
	}
	return int(f.uid)
}

// args is the command line, at most what a page or two hold.
func (p process) args() (all []string) {
	b := []byte(p.text("cmdline"))
	b = b[:min(len(b), 16<<10)]
	for _, word := range bytes.Split(bytes.TrimSuffix(b, []byte{0}), []byte{0}) {
		all = append(all, string(word))
	}
	return all
}

// parent gives the process that started p, 0 for none, and when p itself began, in clock ticks after boot.
func (p process) parent() (process, uint64) {
	text := p.text("stat")
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 20 {
		return 0, 0
	}
	ppid, _ := strconv.Atoi(f[1])
	begun, _ := strconv.ParseUint(f[19], 10, 64)
	return process(ppid), begun
}

// file finds what a word of the command line names, as the process itself would.
func (p process) file(word string) (facts, error) {
	if path.IsAbs(word) {
		return statPath(p.at("root") + word)
	}
	return statPath(p.at("cwd") + "/" + word)
}

// Of a process with more threads than this some are not looked at.
const maxThreads = 256

// opening tells how the process opens the file that it waits for: whether only to write, and whether it is the dynamic
// loader's code that does it. Of several threads that open files the most suspicious counts.
func (p process) opening() (writing, loading bool) {
	writing = true
	seen, maps := false, ""
	for _, c := range p.calls() {
		flags, opens := openFlags(c)
		if !opens {
			continue
		}
		seen = true
		if flags&unix.O_ACCMODE == unix.O_RDONLY {
			writing = false
		}
		if maps == "" {
			maps = p.text("maps")
		}
		if _, where := mappedAt(maps, c.pc); isLoader(where) {
			loading = true
		}
	}
	if !seen { // not told: by another kind of call, or a kernel that says nothing of it
		return false, isLoader(p.program()) || p.preloads()
	}
	return writing, loading
}

// The kernel asks a moment before the thread lies down to wait, and until then it is called running. On a busy machine that
// moment is as long as others have the processor.
const (
	lieDown    = time.Millisecond
	mostLyings = 100
)

// calls are what the threads of a process that waits ask the kernel for.
func (p process) calls() []call {
	return await(p.threads, func() { time.Sleep(lieDown) })
}

// await looks until a thread opens a file, or until none that could is still on its way.
func await(threads func() ([]call, bool), pause func()) (all []call) {
	for n := 0; ; n++ {
		var running bool
		all, running = threads()
		if !running || n == mostLyings || slices.ContainsFunc(all, func(c call) bool { _, opens := openFlags(c); return opens }) {
			return all
		}
		pause()
	}
}

// threads tells of each what it asks for, and whether some run.
func (p process) threads() (all []call, running bool) {
	tasks, err := os.ReadDir(p.at("task"))
	if err != nil {
		return nil, false
	}
	for _, t := range tasks[:min(len(tasks), maxThreads)] {
		text := p.text("task/" + t.Name() + "/syscall")
		if c, ok := parseCall(text); ok {
			all = append(all, c)
		}
		running = running || strings.TrimSpace(text) == "running"
	}
	return all, running
}

// preloads says whether libraries of somebody's choice are asked for (ld.so(8)).
func (p process) preloads() bool {
	for _, line := range strings.Split(p.text("environ"), "\x00") {
		name, _, _ := strings.Cut(line, "=")
		if name == "LD_PRELOAD" || name == "LD_LIBRARY_PATH" || name == "LD_AUDIT" {
			return true
		}
	}
	return false
}

// openFlags gives the flags of a call that opens a file. Of openat2 they stand in the process' memory: it counts as reading.
func openFlags(c call) (uint64, bool) {
	switch c.number {
	case unix.SYS_OPENAT:
		return c.args[2], true
	case sysOpen:
		return c.args[1], true
	case unix.SYS_OPENAT2, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_IO_URING_ENTER:
		return unix.O_RDONLY, true
	}
	return 0, false
}

// untouchable says that the kernel itself asks, or the first process: without them nothing works. Programs that the kernel
// starts, to load a module say, are children of its thread 2 (kthreadd).
func (p process) untouchable() bool {
	if p == 1 || p == 2 {
		return true
	}
	parent, _ := p.parent()
	return parent == 2
}
