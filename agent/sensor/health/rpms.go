package health

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// rpmCache keeps dnf's answer: it takes a second of the processor, and changes with its cache and with rpm's database.
type rpmCache struct {
	stamp   string
	missing []string
	err     error
}

var rpmDatabases = []string{"/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages", "/root/.rpmdb/rpmdb.sqlite"}

// rpmFiles are the database's files that change with an installation; what SQLite has not put away yet is in the one beside it.
// Where none is known, nothing is remembered.
func (e *Eyes) rpmFiles() []string {
	var out []string
	for _, db := range rpmDatabases {
		for _, f := range []string{db, db + "-wal"} {
			if e.tree.exists(f) {
				out = append(out, f)
			}
		}
	}
	if len(out) == 0 {
		return []string{"/nowhere"}
	}
	return out
}

// rpmUpdates says which security advisories are not applied, by dnf's own cache: -C keeps it from asking anybody.
func (e *Eyes) rpmUpdates(ctx context.Context) []policy.Reading {
	updates, asOf := e.of(policy.FactUpdates, "dnf updateinfo"), e.of(policy.FactUpdatesAsOf, "repomd.xml")
	asOf.Product, asOf.Label = "dnf", "dnf"
	find := finder{tree: e.tree}
	heads := find.glob("/var/cache/dnf/*/repodata/repomd.xml")
	heads = append(heads, find.glob("/var/cache/libdnf5/*/repodata/repomd.xml")...)
	if find.err != nil {
		return []policy.Reading{unread(updates, find.err), unread(asOf, find.err)}
	}
	made, advisories, err := e.repositories(heads)
	if err != nil {
		return []policy.Reading{updates.Unread(policy.CodeMissing, err.Error()), asOf.Unread(policy.CodeMissing, err.Error())}
	}
	if !advisories {
		return []policy.Reading{updates.Unread(policy.CodeNoSource, "cannot tell security updates: no repository has advisories (updateinfo)"), asOf.Time(made)}
	}
	files := slices.Clone(heads)
	stamp := e.stamp(append(files, e.rpmFiles()...))
	if stamp != e.rpms.stamp || stamp == "" || e.rpms.err != nil {
		e.rpms = rpmCache{stamp: stamp}
		e.rpms.missing, e.rpms.err = e.askDnf(ctx)
	}
	if e.rpms.err != nil {
		return []policy.Reading{unread(updates, e.rpms.err), asOf.Time(made)}
	}
	return []policy.Reading{updates.List(e.noticed(e.rpms.missing)), asOf.Time(made)}
}

var revisionForm = regexp.MustCompile(`<revision>(\d{9,11})</revision>`)

// repositories gives when the oldest repository was made, and whether any has advisories.
func (e *Eyes) repositories(heads []string) (made time.Time, advisories bool, err error) {
	if len(heads) == 0 {
		return made, false, errors.New("cannot find repositories: dnf has fetched none")
	}
	for _, f := range heads {
		text, err := e.tree.read(f, 1<<20)
		if err != nil {
			return made, false, err
		}
		advisories = advisories || strings.Contains(string(text), `type="updateinfo"`)
		m := revisionForm.FindSubmatch(text)
		if m == nil {
			return made, false, fmt.Errorf("cannot tell how old the repository of %s is", f)
		}
		n, _ := strconv.ParseInt(string(m[1]), 10, 64)
		if at := time.Unix(n, 0).UTC(); made.IsZero() || at.Before(made) {
			made = at
		}
	}
	return made, advisories, nil
}

var advisoryForm = regexp.MustCompile(`^([A-Z][A-Z0-9-]+[-:][0-9A-Za-z:_-]+)\s+(?:\S+\s+){1,2}(\S+-\S+-\S+\.\S+)`)

// parseAdvisories reads dnf4's and dnf5's columns: advisory, severity, package. Other lines are headings.
func parseAdvisories(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if m := advisoryForm.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			out = append(out, m[1]+" "+m[2])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
