package software

import (
	"path"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// maxHistory is how much of the end of a log is read.
const maxHistory = 1 << 20

// deed is what a log says about one change of one package.
type deed struct {
	user, command string
	local         bool // somebody gave a package file
	at            time.Time
	end           time.Time // of apt's run; zero: it is under way, or was killed
}

// deeds are what apt's history and dpkg's log say, the newest of each package and version.
type deeds struct {
	apt  map[string]deed
	dpkg map[string]deed
}

func deedKey(name, version string) string { return name + "\x00" + version }

// readDeeds reads the ends of /var/log/apt/history.log (apt apt-pkg/deb/dpkgpm.cc, OpenLog) and /var/log/dpkg.log
// (https://manpages.debian.org/bookworm/dpkg/dpkg.1.en.html, --log); their times are local and without a zone.
func readDeeds(history, dpkgLog string, zone *time.Location) deeds {
	d := deeds{apt: map[string]deed{}, dpkg: map[string]deed{}}
	for block := range strings.SplitSeq(strings.ReplaceAll(history, "\r", ""), "\n\n") {
		d.aptRun(block, zone)
	}
	for line := range strings.Lines(dpkgLog) {
		word := strings.Fields(line)
		if len(word) != 6 || word[2] != "install" && word[2] != "upgrade" && word[2] != "remove" && word[2] != "purge" {
			continue
		}
		name, _, _ := strings.Cut(word[3], ":")
		version := word[5]
		if version == "<none>" {
			version = word[4]
		}
		at, _ := time.ParseInLocation(time.DateTime, word[0]+" "+word[1], zone) // zero is unknown
		d.dpkg[deedKey(name, version)] = deed{command: "dpkg", at: at}
	}
	return d
}

func (d deeds) aptRun(block string, zone *time.Location) {
	var run deed
	var lines []string
	for line := range strings.Lines(block) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch value = strings.TrimSpace(value); key {
		case "Start-Date":
			run.at = moment(value, zone)
		case "End-Date":
			run.end = moment(value, zone)
		case "Commandline":
			run.command, run.local = value, bringsFile(value)
		case "Requested-By":
			run.user, _, _ = strings.Cut(value, " (")
		case "Install", "Upgrade", "Reinstall", "Downgrade", "Remove", "Purge":
			lines = append(lines, value)
		}
	}
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, "), ") {
			d.aptEntry(run, entry)
		}
	}
}

// moment is a date as apt writes it, with two blanks; zero is unknown.
func moment(s string, zone *time.Location) time.Time {
	at, err := time.ParseInLocation(time.DateTime, strings.Join(strings.Fields(s), " "), zone)
	if err != nil {
		return time.Time{}
	}
	return at
}

// aptEntry reads "curl:amd64 (7.88, automatic", "curl:amd64 (7.87, 7.88": the last version is the one that came. apt says the
// system's own architecture also where the package is for all.
func (d deeds) aptEntry(run deed, entry string) {
	full, rest, ok := strings.Cut(entry, " (")
	if !ok {
		return
	}
	name, _, _ := strings.Cut(full, ":")
	versions := strings.Split(strings.TrimSuffix(rest, ")"), ", ")
	if n := len(versions); versions[n-1] == "automatic" && n > 1 {
		versions, run.local = versions[:n-1], false // fetched because another one needs it
	}
	d.apt[deedKey(name, versions[len(versions)-1])] = run
}

// bringsFile says whether a command line names a package file. PackageKit names none but says what it does.
func bringsFile(command string) bool {
	for _, word := range strings.Fields(command) {
		if strings.HasSuffix(strings.Trim(word, `'"`), ".deb") || strings.Contains(word, "install-files") {
			return true
		}
	}
	return false
}

// of is what the logs say last of a package in one version; known is false where they say nothing.
func (d deeds) of(name, version string) (by deed, byApt, known bool) {
	by, byApt = d.apt[deedKey(name, version)]
	direct, byDpkg := d.dpkg[deedKey(name, version)]
	if !byDpkg || byApt && by.covers(direct.at) {
		return by, byApt, byApt
	}
	direct.local = true
	return direct, false, true
}

// tell adds to events of packages who did it, and with what. Bringing a package as a file is judged as what it is, also when
// the terminal cannot be without a package of this name.
func (d deeds) tell(events []policy.ProgramEvent) {
	for i := range events {
		ev := &events[i]
		ev.Program.Essential = ev.Program.Essential && ev.Program.Source != policy.SourceLocal
		by, _, known := d.of(ev.Program.Name, ev.Program.Version)
		if !known {
			continue
		}
		ev.User, _ = clean(by.user, maxWord)
		ev.Command, _ = clean(by.command, maxWord)
		if ev.What != policy.ProgramRemoved {
			ev.Program.InstalledBy = ev.User
		}
	}
}

// covers says whether a line of dpkg's own belongs to apt's run, or to something before it.
func (d deed) covers(line time.Time) bool {
	if d.end.IsZero() {
		return line.Sub(d.at) < time.Hour
	}
	return !line.After(d.end)
}

// prove takes the log's word for where a package came from: only dpkg itself, or a file on apt's command line, brings one
// that no signature was checked of; what apt fetched was signed, also when the lists have moved on since. Which package a
// file holds its name does not prove, so that one file on a command line makes all that it asks for local.
func (d deeds) prove(p policy.Program, by deed, byApt bool) policy.Program {
	switch {
	case by.local:
		p.Source, p.Origin, p.Fault = policy.SourceLocal, fileOf(by.command, p.Name), ""
	case byApt && isApt(by.command) && p.Source != policy.SourceRepository && p.Origin == "":
		p.Source, p.Fault = policy.SourceRepository, ""
	}
	return p
}

func isApt(command string) bool {
	word := strings.Fields(command)
	return len(word) > 0 && strings.HasPrefix(path.Base(word[0]), "apt")
}

// fileOf is the package file on a command line that a package's name fits, else the command itself.
func fileOf(command, name string) string {
	for _, word := range strings.Fields(command) {
		if word = strings.Trim(word, `'"`); strings.HasSuffix(word, ".deb") && strings.HasPrefix(path.Base(word), name) {
			s, _ := clean(word, maxWord)
			return s
		}
	}
	s, _ := clean(command, maxWord)
	return s
}
