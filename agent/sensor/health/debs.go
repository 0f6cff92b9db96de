package health

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"sekisho/agent/sensor/aptlist"
	"sekisho/internal/policy"
	"sekisho/internal/version"
)

// debCache keeps what was read of apt's and dpkg's files until one of them changes.
type debCache struct {
	stamp   string
	missing []string
	made    time.Time
	err     error
}

var (
	errNoLists    = errors.New("cannot find package lists: apt has fetched none")
	errNoSecurity = errors.New("cannot find a security source among apt's package lists")
)

// debUpdates says which installed packages are older than the security sources have, by apt's own lists. It never asks apt what it would do.
func (e *Eyes) debUpdates(ctx context.Context) []policy.Reading {
	lists, files, err := e.securityLists()
	stamp := e.stamp(append(files, "/var/lib/dpkg/status"))
	if e.debs.stamp != stamp || stamp == "" {
		e.debs = debCache{stamp: stamp}
		if e.debs.err = err; err == nil {
			e.debs.missing, e.debs.made, e.debs.err = e.compareDebs(ctx, lists)
		}
		if ctx.Err() != nil {
			e.debs.stamp = "" // what was not read to its end is read again
		}
	}
	asOf, updates := e.of(policy.FactUpdatesAsOf, "/var/lib/apt/lists"), e.of(policy.FactUpdates, "/var/lib/apt/lists")
	asOf.Product, asOf.Label = "apt", "apt"
	if err := e.debs.err; err != nil {
		code := policy.CodeFailed
		switch {
		case errors.Is(err, errNoLists):
			code = policy.CodeMissing
		case errors.Is(err, errNoSecurity):
			code = policy.CodeNoSource
		}
		return []policy.Reading{updates.Unread(code, err.Error()), asOf.Unread(code, err.Error())}
	}
	return []policy.Reading{updates.List(e.noticed(e.debs.missing)), asOf.Time(e.debs.made)}
}

// stamp changes with every change of the files.
func (e *Eyes) stamp(files []string) string {
	var b strings.Builder
	for _, f := range files {
		info, err := os.Stat(e.tree.path(f))
		if err != nil {
			return ""
		}
		fmt.Fprintln(&b, f, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

// securityList is one source of security updates: when its publisher made it, and its lists of packages.
type securityList struct {
	made     time.Time
	packages []aptlist.List
}

// securityLists finds the sources whose release file says that they are for security.
func (e *Eyes) securityLists() (lists []securityList, files []string, err error) {
	all, err := aptlist.Releases(e.tree.path("/"))
	if err == nil && len(all) == 0 {
		err = errNoLists
	}
	for _, release := range all {
		f := inLists(release.File)
		text, err := e.tree.read(f, 1<<20)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
		r := parseRelease(text)
		if !r.security() {
			continue
		}
		lists = append(lists, securityList{made: r.made, packages: release.Lists})
		for _, l := range release.Lists {
			files = append(files, inLists(l.File))
		}
	}
	return lists, files, err
}

func inLists(name string) string { return path.Join("/", aptlist.Folder, name) }

// releaseFile is the head of a Release file (Debian, "DebianRepository/Format").
type releaseFile struct {
	origin, label, suite, codename string
	made                           time.Time
}

// security: Debian's label is Debian-Security and its suites end in -security, Ubuntu's suites too; its extended support is UbuntuESM.
func (r releaseFile) security() bool {
	return strings.HasSuffix(r.suite, "-security") || strings.HasSuffix(r.codename, "-security") || strings.Contains(r.codename, "-security/") ||
		strings.EqualFold(r.label, "Debian-Security") || strings.HasPrefix(r.origin, "UbuntuESM")
}

func parseRelease(text []byte) releaseFile {
	var r releaseFile
	s := bufio.NewScanner(bytes.NewReader(text))
	for s.Scan() {
		line := s.Text()
		if strings.HasPrefix(line, " ") {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); name {
		case "Origin":
			r.origin = value
		case "Label":
			r.label = value
		case "Suite":
			r.suite = value
		case "Codename":
			r.codename = value
		case "Date":
			r.made = releaseDate(value)
		}
	}
	return r
}

func releaseDate(s string) time.Time {
	for _, layout := range []string{time.RFC1123, time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// compareDebs gives what is missing, and how old the oldest of the lists is.
func (e *Eyes) compareDebs(ctx context.Context, lists []securityList) (missing []string, made time.Time, err error) {
	if len(lists) == 0 {
		return nil, made, errNoSecurity
	}
	installed, err := e.installedDebs()
	if err != nil {
		return nil, made, err
	}
	newest := map[string]string{}
	for _, l := range lists {
		if l.made.IsZero() {
			return nil, made, errors.New("cannot use package lists: a security source has no date")
		}
		if made.IsZero() || l.made.Before(made) {
			made = l.made
		}
		if len(l.packages) == 0 {
			return nil, made, errors.New("cannot use package lists: a security source has no list of packages")
		}
		for _, p := range l.packages {
			if err := e.readPackages(ctx, p, installed, newest); err != nil {
				return nil, made, fmt.Errorf("cannot read package list %s: %w", p.File, err)
			}
		}
	}
	for key, v := range newest {
		name, _, _ := strings.Cut(key, ":")
		missing = append(missing, name+" "+installed[key]+" → "+v)
	}
	slices.Sort(missing)
	return slices.Compact(missing), made, nil
}

// installedDebs gives the versions of installed packages by "name:arch".
func (e *Eyes) installedDebs() (map[string]string, error) {
	f, err := os.Open(e.tree.path("/var/lib/dpkg/status"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]string{}
	err = stanzas(f, func(s *stanza) {
		if strings.HasSuffix(s.status, " installed") {
			out[s.name+":"+s.arch] = s.version
		}
	})
	if err == nil && len(out) == 0 {
		err = errors.New("cannot read dpkg's status: it names no installed package")
	}
	return out, err
}

// readPackages notes in newest what is newer than what is installed.
func (e *Eyes) readPackages(ctx context.Context, list aptlist.List, installed, newest map[string]string) error {
	return list.Read(ctx, e.tree.path("/"), func(r io.Reader) error {
		return stanzas(io.LimitReader(r, 1<<30), func(s *stanza) {
			key := s.name + ":" + s.arch
			have, ok := installed[key]
			if ok && version.Compare(s.version, have) > 0 && (newest[key] == "" || version.Compare(s.version, newest[key]) > 0) {
				newest[key] = s.version
			}
		})
	})
}

// stanza is what is needed of one package's paragraph.
type stanza struct{ name, arch, version, status string }

var (
	fieldPackage = []byte("Package:")
	fieldArch    = []byte("Architecture:")
	fieldVersion = []byte("Version:")
	fieldStatus  = []byte("Status:")
)

// stanzas reads paragraphs (deb-control(5)) one by one, so that a list of fifty megabytes needs no memory.
func stanzas(r io.Reader, each func(*stanza)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var s stanza
	for {
		line, more, err := in.ReadLine()
		for more && err == nil { // a line longer than the buffer holds nothing of ours
			_, more, err = in.ReadLine()
		}
		if len(line) == 0 && s.name != "" {
			each(&s)
			s = stanza{}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.take(line)
	}
}

func (s *stanza) take(line []byte) {
	if len(line) == 0 || line[0] == ' ' {
		return
	}
	value := func(field []byte) string { return string(bytes.TrimSpace(line[len(field):])) }
	switch {
	case bytes.HasPrefix(line, fieldPackage):
		s.name = value(fieldPackage)
	case bytes.HasPrefix(line, fieldArch):
		s.arch = value(fieldArch)
	case bytes.HasPrefix(line, fieldVersion):
		s.version = value(fieldVersion)
	case bytes.HasPrefix(line, fieldStatus):
		s.status = value(fieldStatus)
	}
}
