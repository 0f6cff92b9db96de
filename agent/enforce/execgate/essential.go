package execgate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sekisho/internal/policy"
)

// needed marks as essential what an essential package cannot do without: the C library, the init system and what they
// depend on. dpkg itself calls only a part of that essential. Of alternatives each one that is there counts.
func needed(root string, programs []policy.Program) ([]policy.Program, error) {
	f, err := os.Open(filepath.Join(root, dpkgStatus))
	if errors.Is(err, fs.ErrNotExist) {
		return programs, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the package database: %w", err)
	}
	defer f.Close()
	needs, err := readNeeds(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read the package database: %w", err)
	}
	out := make([]policy.Program, len(programs))
	copy(out, programs)
	roots := []string{"init", "systemd", "systemd-sysv", "udev", "dbus", "kmod", "apt", "sekisho-agent"}
	for _, p := range out {
		if p.Essential {
			roots = append(roots, p.Name)
		}
	}
	all := needs.closure(roots)
	for i := range out {
		if out[i].Kind == policy.ProgramDeb && all[out[i].Name] {
			out[i].Essential = true
		}
	}
	return out, nil
}

// needs says which names a package asks for, and who stands for a name.
type needs struct{ of, stand map[string][]string }

// readNeeds reads Depends, Pre-Depends and Provides of dpkg's status (deb-control(5)).
func readNeeds(r io.Reader) (needs, error) {
	n := needs{of: map[string][]string{}, stand: map[string][]string{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	name := ""
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ": ")
		switch {
		case !ok || strings.HasPrefix(key, " "):
		case key == "Package":
			name = strings.Clone(value)
		case key == "Depends", key == "Pre-Depends":
			n.of[name] = append(n.of[name], packageNames(value)...)
		case key == "Provides":
			for _, p := range packageNames(value) {
				n.stand[p] = append(n.stand[p], name)
			}
		}
	}
	return n, lines.Err()
}

// packageNames reads the names of a list like "a (>= 1), b:any | c".
func packageNames(list string) (names []string) {
	for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
		name, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		name, _, _ = strings.Cut(name, ":")
		if name != "" {
			names = append(names, strings.Clone(name))
		}
	}
	return names
}

func (n needs) closure(roots []string) map[string]bool {
	all := map[string]bool{}
	for len(roots) > 0 {
		name := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		if all[name] {
			continue
		}
		all[name] = true
		roots = append(roots, n.of[name]...)
		roots = append(roots, n.stand[name]...)
	}
	return all
}
