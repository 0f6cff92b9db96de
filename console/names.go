package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// label is a part of a host name (RFC 1123, 2.1); many offices have names with an underscore as well.
var label = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)

// maxHost is the length of a whole name (RFC 1035, 2.3.4).
const maxHost = 253

// readNames takes host names and addresses, with spaces or commas between them.
func readNames(text string) ([]string, error) {
	var names []string
	for _, n := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,、 ", r) }) {
		n = strings.Trim(n, "[]")
		if net.ParseIP(n) == nil {
			n = strings.ToLower(strings.TrimSuffix(n, "."))
			if !isHost(n) {
				return nil, fmt.Errorf("%q is neither a host name nor an address", n)
			}
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no name is given")
	}
	return names, nil
}

func isHost(name string) bool {
	for _, l := range strings.Split(name, ".") {
		if !label.MatchString(l) {
			return false
		}
	}
	// What consists of digits and dots is an address that was mistyped.
	return len(name) <= maxHost && strings.Trim(name, "0123456789.") != ""
}

// withNames adds the names to a configuration that has none, and leaves every other line as it is.
func withNames(text []byte, names []string) ([]byte, error) {
	var have config
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&have); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(have.Names) > 0 {
		return nil, errors.New("it has names already")
	}
	line, err := yaml.Marshal(map[string][]string{"names": names})
	if err != nil {
		return nil, err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	text = append(text, line...)
	var read config // what is written in one line, or in several documents, takes no further line
	if err := yaml.Unmarshal(text, &read); err != nil || !slices.Equal(read.Names, names) {
		return nil, errors.New("a line with names: cannot be added to what is there; write it by hand")
	}
	return text, nil
}

// configFile is the file that console.yaml is, or points to: a package keeps it among the system's configuration.
func configFile(state string) (string, error) {
	path := filepath.Join(state, "console.yaml")
	real, err := filepath.EvalSymlinks(path)
	switch {
	case err == nil:
		return real, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("cannot find the configuration: %w", err)
	}
	to, err := os.Readlink(path)
	if err != nil {
		return path, nil // it is not there yet
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(state, to)
	}
	return to, nil
}

// decided says whether the configuration names this console.
func decided(state string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(state, "console.yaml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("cannot read configuration: %w", err)
	}
	var c config
	if err := yaml.Unmarshal(text, &c); err != nil {
		return false, fmt.Errorf("cannot read configuration: %w", err)
	}
	return len(c.Names) > 0, nil
}

// keepNames writes the answer whole or not at all. The file may be one that only root can write.
func (h *house) keepNames(names []string, as guise) (path string, err error) {
	if path, err = configFile(h.state); err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read configuration: %w", err)
	}
	if text, err = withNames(text, names); err != nil {
		return "", fmt.Errorf("cannot write configuration %s: %w", path, err)
	}
	if err := as.write(path, func() error { return replace(path, text) }); err != nil {
		return "", err
	}
	h.config, err = readConfig(h.state)
	return path, err
}

// lookUp asks whether a name has an address.
func lookUp(ctx context.Context, name string) error {
	_, err := net.DefaultResolver.LookupHost(ctx, name)
	return err
}
