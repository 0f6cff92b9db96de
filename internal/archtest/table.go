// Package archtest holds the import table of this house, and one test that it is true.
// It never runs outside of that test.
package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const module = "sekisho"

// mayImport says which packages of this module a folder may import beside its own sub-folders.
// A folder that is not here is not built yet, or stands in the wrong room: add it together with a reason.
// "x/*" is everything below x.
var mayImport = map[string][]string{
	"agent":         {"agent/*", "internal/*", "installer/*"}, // package main: knows everyone
	"agent/sensor":  {"internal/*"},
	"agent/enforce": {"internal/*"},
	"agent/outbox":  {"internal/*"},
	"agent/link":    {"internal/*"},
	"agent/local":   {"internal/*"},
	"agent/update":  {"internal/*"},
	"agent/sheet":   {"internal/*"}, // beside the outbox: what is remembered for the console, but as a state and not as a history

	"console":          {"console/*", "internal/*"}, // package main: knows everyone
	"console/agentapi": {"console/store", "internal/*"},
	"console/web":      {"console/store", "internal/*"},
	"console/carryout": {"console/store", "internal/*"},
	"console/report":   {"console/store", "internal/*"},
	"console/evidence": {"console/store", "internal/*"},
	"console/notify":   {"internal/*"},
	"console/depot":    {"internal/*"},
	"console/store":    {"internal/*"}, // the lowest of the console: its rows are what the others speak of

	"internal/version":  {},
	"internal/policy":   {"internal/version"}, // the innermost
	"internal/roll":     {"internal/policy"},
	"internal/wire":     {"internal/policy"},
	"internal/seal":     {},
	"internal/bundle":   {"internal/seal", "internal/version"},
	"internal/durable":  {},
	"internal/sysfs":    {},
	"internal/private":  {},
	"internal/osexec":   {},
	"internal/archtest": {},

	"installer/linux":   {"internal/*"},
	"installer/windows": {"internal/*"},
}

// owners says who alone may import a package from outside, or anything below it. Nobody: no owner.
var owners = []struct {
	pkg    string
	within string   // the rule holds for folders below this one; "" is everywhere
	by     []string // folders
	tests  bool     // tests may import it too
	why    string
}{
	{"os/exec", "", []string{"internal/osexec"}, true, "nothing runs a program but osexec"},
	{"github.com/kardianos/service", "", []string{"agent"}, false, "service.go is its only importer"},
	{"database/sql", "", []string{"console/store"}, false, "only the store knows SQL"},
	{"modernc.org/sqlite", "", []string{"console/store"}, false, "only the store knows SQL"},
	{"github.com/jackc/pgx", "", []string{"console/store"}, false, "only the store knows SQL"},
	{"github.com/pressly/goose", "", []string{"console/store"}, false, "only the store knows SQL"},
	{"net/http", "agent", []string{"agent/link"}, false, "the voice is the only agent package with a network socket"},
	{"crypto/tls", "agent", []string{"agent/link"}, false, "the voice is the only agent package with a network socket"},
	{"github.com/rs/zerolog/log", "", nil, false, "loggers are passed in"},
	{"os", "internal/policy", nil, true, "the head has no I/O"},
	{"net", "internal/policy", nil, true, "the head has no I/O"},
	{"io/fs", "internal/policy", nil, true, "the head has no I/O"},
	{"syscall", "internal/policy", nil, true, "the head has no I/O"},
	{"golang.org/x/sys", "internal/policy", nil, true, "the head has no I/O"},
	{"math/rand", "internal/policy", nil, true, "the head always gives the same answer"},
	{"crypto/rand", "internal/policy", nil, true, "the head always gives the same answer"},
	{"log", "internal/policy", nil, true, "the head has no I/O"},
	{"github.com/rs/zerolog", "internal/policy", nil, true, "the head has no I/O"},
}

// file is what the test knows of one Go file.
type file struct {
	dir     string // below the module's root, with slashes
	name    string
	imports []string
}

// complaints says which of a file's imports the table forbids.
func complaints(f file) []string {
	if below(f.dir, "scripts") {
		return nil // the workshop's tools
	}
	var out []string
	for _, imp := range f.imports {
		if why := forbidden(f, imp); why != "" {
			out = append(out, fmt.Sprintf("%s imports %s: %s", path.Join(f.dir, f.name), imp, why))
		}
	}
	if _, known := room(f.dir); !known {
		out = append(out, fmt.Sprintf("%s: the folder is not in the table", path.Join(f.dir, f.name)))
	}
	return out
}

func forbidden(f file, imp string) string {
	if imp == module || strings.HasPrefix(imp, module+"/") {
		return forbiddenInside(f, strings.TrimPrefix(imp, module+"/"))
	}
	for _, o := range owners {
		exempt := f.isTest() && (o.tests || f.isFlow())
		if below(imp, o.pkg) && below(f.dir, o.within) && !exempt && !slices.ContainsFunc(o.by, f.livesIn) {
			return o.why
		}
	}
	return ""
}

func forbiddenInside(f file, target string) string {
	own, _ := room(f.dir)
	ownFolder := below(target, own) && strings.Contains(own, "/")
	if ownFolder || f.isFlow() {
		return ""
	}
	for _, may := range mayImport[own] {
		if below(target, strings.TrimSuffix(may, "/*")) {
			return ""
		}
	}
	return "arrows point down the list of the house and inward; siblings never import each other"
}

// isTest says whether the file is only compiled into tests.
func (f file) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

// isFlow says whether it is a test of package main, where the two flows run from the sensor to the page.
func (f file) isFlow() bool { return f.isTest() && (f.dir == "agent" || f.dir == "console") }

// livesIn says whether the file belongs to an owner: its folder and what is below, of a main package the folder alone.
func (f file) livesIn(owner string) bool {
	if owner == "agent" || owner == "console" {
		return f.dir == owner
	}
	return below(f.dir, owner)
}

// room gives the line of the table that a folder stands under: its own, or that of the role it is a part of.
// The two main packages have no parts: agent/spoon is not known because agent is.
func room(dir string) (string, bool) {
	if _, ok := mayImport[dir]; ok {
		return dir, true
	}
	for d := path.Dir(dir); strings.Contains(d, "/"); d = path.Dir(d) {
		if _, ok := mayImport[d]; ok {
			return d, true
		}
	}
	return dir, false
}

// below says whether a path is root or lies under it; everything lies under "".
func below(p, root string) bool {
	return root == "" || p == root || strings.HasPrefix(p, root+"/")
}
