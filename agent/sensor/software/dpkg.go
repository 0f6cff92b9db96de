package software

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// What is read of a stanza of dpkg's status (https://manpages.debian.org/bookworm/dpkg-dev/deb-control.5.en.html).
var statusKeys = []string{"Package", "Status", "Version", "Architecture", "Maintainer", "Installed-Size", "Essential", "Priority", "Protected", "Multi-Arch"}

// debs reads dpkg's status, and the updates to it that dpkg had not yet brought in when it was stopped, in their order
// (dpkg lib/dpkg/dbmodify.c). Later stanzas replace earlier ones. An update is one stanza without the blank line that ends those
// of the status.
func debs(status io.Reader, updates ...io.Reader) reading {
	d := debReader{at: map[string]int{}, shared: map[string]bool{}}
	all := []io.Reader{status}
	for _, u := range updates {
		all = append(all, io.MultiReader(u, strings.NewReader("\n")))
	}
	for _, r := range all {
		torn, err := stanzas(r, statusKeys, d.take)
		d.torn = d.torn || torn
		if err != nil {
			d.torn, d.complaint = true, err.Error()
		}
	}
	return d.reading()
}

type debReader struct {
	programs  []policy.Program
	shared    map[string]bool // ids of packages that can be there for several architectures: their files are named with it
	at        map[string]int  // by id
	bad       int             // stanzas without name, state or version
	torn      bool
	complaint string
}

func (d *debReader) take(v [][]byte) bool {
	present, ok := stateOf(string(v[1]))
	if len(v[0]) == 0 || !ok || present && len(v[2]) == 0 {
		d.bad++
		return true
	}
	p := deb(v)
	if string(v[9]) == "same" {
		d.shared[p.ID] = true
	}
	if !present {
		p.Kind = "" // what an earlier stanza said of it is over
	}
	if i, again := d.at[p.ID]; again {
		d.programs[i] = p
	} else if present && len(d.programs) < maxPrograms {
		d.at[p.ID] = len(d.programs)
		d.programs = append(d.programs, p)
	} else if present {
		d.torn, d.complaint = true, fmt.Sprintf("more than %d packages", maxPrograms)
	}
	return true
}

// stateOf reads "want flag state": whether files of the package are there. What is only unpacked can be run as well.
func stateOf(status string) (present, ok bool) {
	word := strings.Fields(status)
	if len(word) != 3 {
		return false, false
	}
	switch word[2] {
	case "installed", "unpacked", "half-configured", "half-installed", "triggers-awaited", "triggers-pending":
		return true, true
	case "not-installed", "config-files":
		return false, true
	}
	return false, false
}

func deb(v [][]byte) policy.Program {
	var c cleaner
	name, arch := string(v[0]), string(v[3])
	p := policy.Program{
		ID: ident("deb", name, arch), Kind: policy.ProgramDeb, Name: c.word(name), Version: c.word(string(v[2])), Arch: c.word(arch),
		Publisher: c.word(string(v[4])), Essential: string(v[6]) == "yes" || string(v[7]) == "required" || string(v[8]) == "yes",
	}
	if kib, err := strconv.ParseInt(string(v[5]), 10, 64); err == nil && kib > 0 && kib < 1<<40 {
		p.Size = kib * 1024
	}
	p.Unclean = c.unclean
	return p
}

func (d *debReader) reading() reading {
	programs := slices.DeleteFunc(d.programs, func(p policy.Program) bool { return p.Kind == "" })
	r := reading{programs: programs, shared: d.shared, torn: d.torn || d.bad > 0}
	switch {
	case d.complaint != "":
		r.fault = "cannot read all of dpkg's database: " + d.complaint
	case d.bad > 0:
		r.fault = fmt.Sprintf("cannot read all of dpkg's database: %d entries are damaged", d.bad)
	case d.torn:
		r.fault = "cannot read all of dpkg's database: it is cut off or damaged"
	case len(programs) == 0:
		r.torn, r.fault = true, "cannot read dpkg's database: it names no package" // dpkg itself is one
	}
	return r
}
