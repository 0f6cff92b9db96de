package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sekisho/internal/policy"
)

// installed is what dpkg says is on this terminal, as far as the gate before programs needs it.
func (a *agent) installed() ([]policy.Program, error) {
	f, err := os.Open(filepath.Join(a.root, "/var/lib/dpkg/status"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the package database: %w", err)
	}
	defer f.Close()
	var all []policy.Program
	p, present := policy.Program{}, false
	end := func() {
		if present && p.Name != "" && p.Version != "" {
			p.ID, p.Kind, p.Source = "deb:"+p.Name+":"+p.Arch, policy.ProgramDeb, policy.SourceUnknown
			all = append(all, p)
		}
		p, present = policy.Program{}, false
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch value = strings.Clone(value); key {
		case "":
			end()
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Architecture":
			p.Arch = value
		case "Maintainer":
			p.Publisher = value
		case "Status":
			present = !strings.HasSuffix(value, " not-installed") && !strings.HasSuffix(value, " config-files")
		case "Essential", "Protected":
			p.Essential = p.Essential || value == "yes"
		case "Priority":
			p.Essential = p.Essential || value == "required"
		}
	}
	end()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the package database: %w", err)
	}
	return all, nil
}
