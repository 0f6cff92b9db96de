package main

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/host"

	"sekisho/internal/wire"
)

// hostFacts reads what does not change while the agent runs. This file is the only user of gopsutil, and of it
// only what runs no programs.
func hostFacts(root string) wire.Status {
	s := wire.Status{Agent: version, OS: runtime.GOOS}
	if name := osName(root); name != "" {
		s.OS = name
	}
	s.Kernel, _ = host.KernelVersion() // "" is shown as unknown
	return s
}

// osName is PRETTY_NAME of os-release(5).
func osName(root string) string {
	f, err := os.Open(filepath.Join(root, "etc/os-release"))
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			return cut(strings.Trim(name, `"'`), 128)
		}
	}
	return ""
}

// freeSpace is what is left for the state folder, in bytes.
func freeSpace(dir string) (uint64, error) {
	u, err := disk.Usage(dir)
	if err != nil {
		return 0, err
	}
	return u.Free, nil
}
