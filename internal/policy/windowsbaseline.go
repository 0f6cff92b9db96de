package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BaselineTitle begins a baseline that is written as a table of lines.
const BaselineTitle = "sekisho-baseline"

// Bounds of a baseline.
const (
	MaxBaseline      = 4 << 20 // bytes; a year of every build is a hundredth of it
	maxBaselineLines = 5000
	baselineVersion  = "1"
)

// Kinds of updates in a baseline.
const (
	updateSecurity = "security" // every terminal has to have it
	updatePreview  = "preview"  // optional, between two monthly ones: nobody is behind for the lack of it
	updateHotpatch = "hotpatch" // brings a security update's contents under another revision
)

// Installations of a baseline: what Windows says of itself in InstallationType.
var installations = map[string]string{"client": "client", "server": "server", "server core": "core", "core": "core", "domain controller": "server", "*": "*"}

// Baseline is a monthly table of Windows' updates: which revision of which build has what.
type Baseline struct {
	Month string    // 2026-11
	Made  time.Time // by who published it
	From  string    // who that was
	rows  []update
}

type update struct {
	build    uint32
	install  string // client, server, core
	editions []string
	revision uint32
	released time.Time
	kind     string
	kb       string
}

// WindowsVersion is what one Windows says of itself.
type WindowsVersion struct {
	Build, Revision       uint32 // CurrentBuildNumber and UBR
	Installation, Edition string // InstallationType and EditionID
}

func (w WindowsVersion) String() string { return fmt.Sprintf("%d.%d", w.Build, w.Revision) }

// Name is what people call this Windows. ProductName still says 10 on Windows 11: the build decides.
func (w WindowsVersion) Name() string {
	names := map[uint32]string{14393: "1607", 17763: "1809", 19044: "21H2", 19045: "22H2", 22631: "23H2", 26100: "24H2", 26200: "25H2", 28000: "26H1"}
	servers := map[uint32]string{14393: "2016", 17763: "2019", 20348: "2022", 25398: "23H2", 26100: "2025"}
	switch {
	case w.install() != "client":
		return strings.TrimSpace("Windows Server " + servers[w.Build])
	case w.Build >= 22000:
		return strings.TrimSpace("Windows 11 " + names[w.Build])
	}
	return strings.TrimSpace("Windows 10 " + names[w.Build])
}

func (w WindowsVersion) install() string {
	return installations[strings.ToLower(strings.TrimSpace(w.Installation))]
}

// Why a baseline says nothing of a Windows.
var (
	ErrNotInBaseline  = errors.New("cannot compare: the baseline has no line for this build and installation type")
	ErrNoInstallation = errors.New("cannot compare: this Windows does not say whether it is a client or a server")
)

// Missing gives the security updates that this Windows does not have, each with the day it came out. One that is newer than the
// table lacks nothing of it.
func (b Baseline) Missing(w WindowsVersion) ([]Entry, error) {
	rows, err := b.of(w)
	if err != nil {
		return nil, err
	}
	have := w.Revision
	var since time.Time // a hotpatch brings what came out up to its day
	for _, u := range rows {
		if u.kind == updateHotpatch && u.revision == have {
			since = u.released
		}
	}
	var out []Entry
	for _, u := range rows {
		lacks := u.revision > have
		if !since.IsZero() {
			lacks = u.released.After(since)
		}
		if u.kind == updateSecurity && lacks {
			out = append(out, Entry{Word: fmt.Sprintf("%s %d.%d", u.kb, u.build, u.revision), At: u.released})
		}
	}
	return out, nil
}

// of gives the lines for one Windows: those of its own installation type before those for any server, and of them those that
// name its edition before those for any.
func (b Baseline) of(w WindowsVersion) ([]update, error) {
	install := w.install()
	if install == "" || install == "*" {
		return nil, ErrNoInstallation
	}
	kinds := []string{install}
	if install == "core" {
		kinds = append(kinds, "server")
	}
	for _, kind := range kinds {
		for _, named := range []bool{true, false} {
			var rows []update
			for _, u := range b.rows {
				if u.build == w.Build && u.install == kind && (len(u.editions) > 0) == named && (!named || fits(u.editions, w.Edition)) {
					rows = append(rows, u)
				}
			}
			if slices.ContainsFunc(rows, func(u update) bool { return u.kind == updateSecurity }) {
				return rows, nil
			}
		}
	}
	return nil, ErrNotInBaseline
}

var (
	monthForm = regexp.MustCompile(`^(20\d\d)-(0[1-9]|1[0-2])$`)
	kbForm    = regexp.MustCompile(`^KB\d{6,8}$`)
)

// ParseBaseline reads a table. One that is broken anywhere is refused whole: half a table would let terminals pass by what it lacks.
func ParseBaseline(text []byte) (Baseline, error) {
	var b Baseline
	if len(text) > MaxBaseline {
		return b, fmt.Errorf("cannot use the baseline: it has %d bytes, %d at most", len(text), MaxBaseline)
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return parseJSONBaseline(text)
	}
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	n, titled := 0, false
	for lines.Scan() {
		n++
		line, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.Fields(narrow(line))
		if len(f) == 0 {
			continue
		}
		if !titled {
			if titled = len(f) == 2 && f[0] == BaselineTitle && f[1] == baselineVersion; !titled {
				return Baseline{}, fmt.Errorf("cannot use the baseline: line %d must be %q", n, BaselineTitle+" "+baselineVersion)
			}
			continue
		}
		if err := b.take(f); err != nil {
			return Baseline{}, fmt.Errorf("cannot use the baseline: line %d: %w", n, err)
		}
		if len(b.rows) > maxBaselineLines {
			return Baseline{}, fmt.Errorf("cannot use the baseline: more than %d lines", maxBaselineLines)
		}
	}
	if err := lines.Err(); err != nil {
		return Baseline{}, fmt.Errorf("cannot use the baseline: line %d: %w", n+1, err)
	}
	if err := b.whole(); err != nil {
		return Baseline{}, fmt.Errorf("cannot use the baseline: %w", err)
	}
	return b, nil
}

// jsonBaseline is the same table as the console's import knows it.
type jsonBaseline struct {
	Kind   string    `json:"kind"`
	Name   string    `json:"name"`
	Month  string    `json:"month"`
	MadeAt time.Time `json:"made_at"`
	Builds []struct {
		Build        uint32   `json:"build"`
		Installation string   `json:"installation"`
		Revision     uint32   `json:"revision"`
		Released     string   `json:"released"`
		Kind         string   `json:"kind"`
		KB           string   `json:"kb"`
		Editions     []string `json:"editions"`
	} `json:"builds"`
}

func parseJSONBaseline(text []byte) (Baseline, error) {
	var j jsonBaseline
	if err := json.Unmarshal(text, &j); err != nil {
		return Baseline{}, fmt.Errorf("cannot use the baseline: %w", err)
	}
	if j.Kind != ReferenceBaseline || !monthForm.MatchString(j.Month) || len(j.Builds) > maxBaselineLines {
		return Baseline{}, fmt.Errorf("cannot use the baseline: it is of kind %q and month %q, with %d builds", shorten(j.Kind), shorten(j.Month), len(j.Builds))
	}
	b := Baseline{Month: j.Month, Made: j.MadeAt.UTC(), From: shorten(j.Name)}
	for i, row := range j.Builds {
		f := []string{fmt.Sprint(row.Build), row.Installation, fmt.Sprint(row.Revision), row.Released, row.Kind, row.KB}
		if len(row.Editions) > 0 {
			f = append(f, strings.Join(row.Editions, ","))
		}
		if err := b.addUpdate(f); err != nil {
			return Baseline{}, fmt.Errorf("cannot use the baseline: builds[%d]: %w", i, err)
		}
	}
	if err := b.whole(); err != nil {
		return Baseline{}, fmt.Errorf("cannot use the baseline: %w", err)
	}
	return b, nil
}

func (b *Baseline) take(f []string) error {
	switch f[0] {
	case "month":
		if len(f) != 2 || !monthForm.MatchString(f[1]) || b.Month != "" {
			return errors.New("write the month once, like 2026-11")
		}
		b.Month = f[1]
		return nil
	case "made":
		day, err := tableDay(strings.Join(f[1:], ""))
		if err != nil || !b.Made.IsZero() {
			return errors.New("write the day it was made once, like 2026-11-12")
		}
		b.Made = day
		return nil
	case "from":
		b.From = shorten(strings.Join(f[1:], " "))
		return nil
	}
	return b.addUpdate(f)
}

func (b *Baseline) addUpdate(f []string) error {
	u, err := readUpdate(f)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(b.rows, u.same) {
		return fmt.Errorf("build %d.%d stands there twice", u.build, u.revision)
	}
	b.rows = append(b.rows, u)
	return nil
}

func (u update) same(v update) bool {
	return u.build == v.build && u.install == v.install && u.revision == v.revision && slices.Equal(u.editions, v.editions)
}

// tableDay takes the days that people write: 2026-11-10, 2026/11/10, R8.11.10, 令和8年11月10日. Others are not guessed.
func tableDay(word string) (time.Time, error) {
	raw := Raw{Text: word}
	if t, err := DateYMD.Parse(raw, word, time.UTC); err == nil {
		return t, nil
	}
	return DateReiwa.Parse(raw, word, time.UTC)
}

// readUpdate reads: build installation revision day kind KB [editions].
func readUpdate(f []string) (update, error) {
	if len(f) != 6 && len(f) != 7 {
		return update{}, fmt.Errorf("it has %d columns: build, installation, revision, day, kind, KB, and editions if need be", len(f))
	}
	build, err1 := strconv.ParseUint(f[0], 10, 32)
	revision, err2 := strconv.ParseUint(f[2], 10, 32)
	if err1 != nil || err2 != nil || build < 10240 || build > 99999 || revision == 0 || revision > 999999 {
		return update{}, fmt.Errorf("%q and %q are no build and revision", f[0], f[2])
	}
	install := installations[strings.ToLower(f[1])]
	if install == "" || install == "*" {
		return update{}, fmt.Errorf("%q is no installation type: client, server, core", f[1])
	}
	day, err := tableDay(f[3])
	if err != nil || day.Year() < 2015 {
		return update{}, fmt.Errorf("%q is no day: write 2026-11-10", f[3])
	}
	if !slices.Contains([]string{updateSecurity, updatePreview, updateHotpatch}, f[4]) {
		return update{}, fmt.Errorf("%q is no kind: security, preview, hotpatch", f[4])
	}
	if !kbForm.MatchString(f[5]) {
		return update{}, fmt.Errorf("%q is no KB number", f[5])
	}
	u := update{build: uint32(build), install: install, revision: uint32(revision), released: day, kind: f[4], kb: f[5]}
	if len(f) == 7 && f[6] != "*" {
		u.editions = strings.Split(f[6], ",")
	}
	return u, nil
}

// whole looks whether the table is what it says: of that month, and not made before what it lists.
func (b *Baseline) whole() error {
	switch {
	case b.Month == "" || b.Made.IsZero():
		return errors.New("it names no month or no day on which it was made")
	case len(b.rows) == 0:
		return errors.New("it has no line about a build")
	}
	var newest time.Time
	for _, u := range b.rows {
		if u.released.After(b.Made) {
			return fmt.Errorf("%s came out after the day on which the table was made", u.kb)
		}
		if u.kind != updatePreview && u.released.After(newest) {
			newest = u.released
		}
	}
	if newest.Format("2006-01") != b.Month {
		return fmt.Errorf("it says that it is of %s, and its newest update is of %s", b.Month, newest.Format("2006-01"))
	}
	return nil
}
