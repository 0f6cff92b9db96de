package software

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sekisho/agent/sensor/aptlist"
	"sekisho/internal/policy"
)

// Where dpkg and apt keep what is read here, below the root.
const (
	dpkgFolder  = "var/lib/dpkg"
	listsFolder = aptlist.Folder
	aptHistory  = "var/log/apt/history.log"
	dpkgLog     = "var/log/dpkg.log"
)

// maxStatus bounds the database; 6,000 packages are 10 MB.
const maxStatus = 256 << 20

// dpkg is the source of the packages of Debian and Ubuntu.
type dpkg struct {
	root  string
	alone bool   // it runs no other program: who asks may be who lets programs run
	lists string // mark of apt's lists when packages were last looked for in them
}

// debSource is the name of the source of packages.
const debSource = "deb"

func (d *dpkg) source() source {
	return source{name: debSource, mark: d.mark, read: d.read, tell: d.tell}
}

func (d *dpkg) at(name string) string { return filepath.Join(d.root, name) }

func (d *dpkg) mark() string {
	return markOf(d.at(dpkgFolder+"/status"), d.at(dpkgFolder+"/updates"), d.at(listsFolder))
}

// markOf changes when one of the files or folders does.
func markOf(paths ...string) string {
	var b strings.Builder
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			b.WriteString("-|")
			continue
		}
		if time.Since(info.ModTime()).Abs() < 2*time.Second {
			return "" // a file's times stand still for some milliseconds: this may not have been the last change
		}
		fmt.Fprintf(&b, "%d %d|", info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

func (d *dpkg) read(ctx context.Context, before map[string]policy.Program, first bool) reading {
	r := d.database()
	if len(r.programs) == 0 {
		return r
	}
	lists := markOf(d.at(listsFolder))
	var open, news []*policy.Program
	for i := range r.programs {
		p := &r.programs[i]
		p.InstalledAt = d.installedAt(*p, r.shared[p.ID])
		b, had := before[p.ID]
		same := had && b.Version == p.Version && b.InstalledAt.Equal(p.InstalledAt)
		if same && (proven(b) || lists != "" && lists == d.lists) {
			p.Source, p.Origin, p.InstalledBy, p.Fault = b.Source, b.Origin, b.InstalledBy, b.Fault
			continue
		}
		open = append(open, p)
		if !same && !first {
			news = append(news, p)
		}
	}
	d.origins(ctx, open)
	d.check(news)
	d.lists = lists
	for i := range r.programs {
		mistrust(&r.programs[i], before, first)
	}
	return r
}

// proven says whether it is settled where a package came from: a signed list had its version, or a log says that somebody
// brought it. Another look at the lists changes nothing about either.
func proven(p policy.Program) bool {
	return p.Source == policy.SourceRepository || p.Source == policy.SourceLocal && p.Origin != ""
}

// check asks the logs about what has come since the last look: that a list has its version proves nothing of a package that
// dpkg was given as a file. Of what was there at the first look they may say that dpkg installed the system itself.
func (d *dpkg) check(news []*policy.Program) {
	if len(news) == 0 {
		return
	}
	done := d.deeds()
	for _, p := range news {
		if by, byApt, known := done.of(p.Name, p.Version); known {
			*p = done.prove(*p, by, byApt)
		}
	}
}

// mistrust takes away what only the system's own packages may say: anybody can build a package that calls itself essential.
// Those that were there at the first look are the system's, and stay so in every later version: a terminal must start also
// after somebody has put a package over one of them. New ones are when a signed repository has them.
func mistrust(p *policy.Program, before map[string]policy.Program, first bool) {
	b, had := before[p.ID]
	if !first && p.Source != policy.SourceRepository && !(had && b.Essential) {
		p.Essential = false
	}
}

// database reads dpkg's status and the updates that wait beside it. A system without dpkg has none.
func (d *dpkg) database() reading {
	if _, err := os.Stat(d.at(dpkgFolder)); os.IsNotExist(err) {
		return reading{}
	}
	return steady(d.attempt)
}

// How often it is read when dpkg changes it under the reading, and after what pause. dpkg does so once in hundreds of changes.
const (
	mostAttempts = 5
	breath       = 10 * time.Millisecond
)

// steady reads until nothing moved meanwhile; what moves each time is given as it was read last.
func steady(attempt func() (reading, bool)) reading {
	for n := 1; ; n++ {
		r, moved := attempt()
		if !moved || n == mostAttempts {
			return r
		}
		time.Sleep(breath)
	}
}

// attempt reads it once, and says whether dpkg changed it meanwhile: at a checkpoint it puts a new status in the place of the
// old one, which has what the updates said, and then takes those away (dpkg lib/dpkg/dbmodify.c).
func (d *dpkg) attempt() (r reading, moved bool) {
	status, err := os.Open(d.at(dpkgFolder + "/status"))
	if err != nil {
		return unread(err)
	}
	defer status.Close()
	before, err := status.Stat()
	if err != nil {
		return unread(err)
	}
	var updates []io.Reader
	for _, name := range d.updates() {
		f, err := os.Open(d.at(filepath.Join(dpkgFolder, name)))
		if err != nil {
			return unread(err)
		}
		defer f.Close()
		updates = append(updates, io.LimitReader(f, maxStatus))
	}
	r = debs(io.LimitReader(status, maxStatus), updates...)
	now, err := os.Stat(status.Name())
	return r, err != nil || !os.SameFile(before, now) || before.Size() != now.Size() || !before.ModTime().Equal(now.ModTime())
}

// unread is a database that cannot be read; a file that has gone since it was listed may have been brought in.
func unread(err error) (reading, bool) {
	return reading{torn: true, fault: "cannot read dpkg's database: " + err.Error()}, os.IsNotExist(err)
}

// updates are the names of the updates that wait: digits only, in their order.
func (d *dpkg) updates() []string {
	var out []string
	for _, name := range namesIn(d.at(dpkgFolder + "/updates")) {
		if strings.Trim(name, "0123456789") == "" && len(out) < maxPrograms {
			out = append(out, filepath.Join("updates", name))
		}
	}
	return out
}

// installedAt is when dpkg wrote the list of a package's files.
func (d *dpkg) installedAt(p policy.Program, shared bool) time.Time {
	names := []string{p.Name + ".list", p.Name + ":" + p.Arch + ".list"}
	if shared {
		slices.Reverse(names)
	}
	for _, name := range names {
		if strings.ContainsRune(name, '/') {
			return time.Time{}
		}
		if info, err := os.Lstat(d.at(dpkgFolder) + "/info/" + name); err == nil {
			return info.ModTime().UTC().Truncate(time.Second)
		}
	}
	return time.Time{}
}

// origins finds the repositories of packages in apt's lists.
func (d *dpkg) origins(ctx context.Context, open []*policy.Program) {
	if len(open) == 0 {
		return
	}
	a := ask(open)
	lists, err := aptlist.Read(d.root)
	if err != nil {
		a.unread++
	}
	for _, l := range lists {
		if d.readList(ctx, l, func(in io.Reader) error { return a.read(l, in) }) != nil {
			a.unread++
		}
	}
	a.settle()
	d.remember(open)
}

// remember asks apt's history about those that the lists do not explain.
func (d *dpkg) remember(open []*policy.Program) {
	var done deeds
	for _, p := range open {
		if p.Source == policy.SourceRepository {
			continue
		}
		if done.apt == nil {
			done = d.deeds()
		}
		if deed, ok := done.apt[deedKey(p.Name, p.Version)]; ok {
			*p = done.prove(*p, deed, true)
		}
	}
}

func (d *dpkg) readList(ctx context.Context, l aptlist.List, read func(io.Reader) error) error {
	if d.alone {
		return l.ReadAlone(d.root, read)
	}
	return l.Read(ctx, d.root, read)
}

func (d *dpkg) deeds() deeds {
	return readDeeds(tail(d.at(aptHistory), maxHistory), tail(d.at(dpkgLog), maxHistory), time.Local)
}

func (d *dpkg) tell(events []policy.ProgramEvent) { d.deeds().tell(events) }

// tail is the end of a file, from the beginning of a line; "" when it cannot be read.
func tail(path string, most int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	from := max(info.Size()-most, 0)
	raw, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return ""
	}
	if from == 0 {
		return string(raw)
	}
	_, rest, _ := strings.Cut(string(raw), "\n")
	return rest
}

// namesIn lists a folder, sorted; nothing when it cannot be read.
func namesIn(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxPrograms) // what could be read before an error is worth having
	slices.Sort(names)
	return names
}
