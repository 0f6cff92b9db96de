package winstate

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"sekisho/internal/policy"
)

const (
	versionKey = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	servicing  = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing`
	autoUpdate = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update`
	sessionKey = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager`
	namesKey   = `HKLM\SYSTEM\CurrentControlSet\Control\ComputerName`
)

// Patches reads how far this Windows is behind.
func (e *Eyes) Patches(ctx context.Context) []policy.Reading {
	w, err := e.version()
	out := append(e.updates(w, err), e.reboots(), e.supportEnd(ctx, w, err))
	return append(out, e.searched()...)
}

func (e *Eyes) version() (policy.WindowsVersion, error) {
	var w policy.WindowsVersion
	build, err := e.number(versionKey, "CurrentBuildNumber")
	if err != nil {
		return w, fmt.Errorf("cannot tell the build: %w", err)
	}
	revision, err := e.number(versionKey, "UBR")
	if err != nil {
		return w, fmt.Errorf("cannot tell the revision (UBR): %w", err)
	}
	if build > 99999 || revision > 999999 {
		return w, fmt.Errorf("cannot believe build %d.%d", build, revision)
	}
	if w.Installation, err = e.words(versionKey, "InstallationType"); err != nil {
		return w, fmt.Errorf("cannot tell client from server: %w", err)
	}
	if w.Edition, err = e.words(versionKey, "EditionID"); err != nil {
		return w, fmt.Errorf("cannot tell the edition: %w", err)
	}
	w.Build, w.Revision = uint32(build), uint32(revision)
	return w, nil
}

// updates holds the revision against the imported table.
func (e *Eyes) updates(w policy.WindowsVersion, err error) []policy.Reading {
	missing, asOf := e.of(policy.FactUpdates, `registry UBR`), e.of(policy.FactUpdatesAsOf, "baseline")
	asOf.Product, asOf.Label = "baseline", "Windows baseline"
	b, berr := e.baseline()
	if berr != nil {
		code := policy.CodeNoReference
		return []policy.Reading{missing.Unread(code, berr.Error()), asOf.Unread(code, berr.Error())}
	}
	age := asOf.Time(b.Made)
	if err != nil {
		return []policy.Reading{not(missing, err), age}
	}
	missing.Label = w.Name() + " " + w.String()
	list, err := b.Missing(w)
	if err != nil {
		return []policy.Reading{missing.Unread(policy.CodeNoReference, fmt.Sprintf("%s: %s (%s %s, baseline of %s)", err, w.Name(), w, w.Installation, b.Month)), age}
	}
	if len(list) == 0 {
		missing.Raw = w.Name() + " " + w.String()
	}
	return []policy.Reading{missing.List(list), age}
}

var errNoBaseline = errors.New("cannot compare builds: no baseline was imported")

func (e *Eyes) baseline() (policy.Baseline, error) {
	if e.Baseline == nil {
		return policy.Baseline{}, errNoBaseline
	}
	text := e.Baseline()
	if text == nil {
		return policy.Baseline{}, errNoBaseline
	}
	return policy.ParseBaseline(text)
}

// reboots lists what waits for a restart. File renames are no reason: browsers and virus scanners leave them all the time; they
// are shown where nothing else is.
func (e *Eyes) reboots() policy.Reading {
	o := e.of(policy.FactReboots, "registry")
	if _, err := e.Machine.Keys(servicing, "64"); err != nil {
		return unread(o, fmt.Errorf("cannot read %s: %w", servicing, err))
	}
	var waiting []string
	for _, key := range []string{servicing + `\RebootPending`, servicing + `\RebootInProgress`, servicing + `\PackagesPending`, autoUpdate + `\RebootRequired`, autoUpdate + `\PostRebootReporting`} {
		there, err := e.keyExists(key)
		if err != nil {
			return unread(o, fmt.Errorf("cannot read %s: %w", key, err))
		}
		if there {
			waiting = append(waiting, key[strings.LastIndexByte(key, '\\')+1:])
		}
	}
	for _, look := range []func() (string, error){e.renamed, e.volatile, e.updateWaits} {
		word, err := look()
		if err != nil {
			return not(o, err)
		}
		if word != "" {
			waiting = append(waiting, word)
		}
	}
	if raw := e.Machine.Value(sessionKey, "PendingFileRenameOperations", "64"); len(waiting) == 0 && raw.Code != policy.CodeMissing {
		o.Raw = "(PendingFileRenameOperations)"
	}
	return o.List(policy.Lines(waiting))
}

func (e *Eyes) keyExists(key string) (bool, error) {
	_, err := e.Machine.Keys(key, "64")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// renamed: the computer gets another name at its next start.
func (e *Eyes) renamed() (string, error) {
	now, err1 := e.words(namesKey+`\ActiveComputerName`, "ComputerName")
	next, err2 := e.words(namesKey+`\ComputerName`, "ComputerName")
	if errors.Is(err1, errAbsent) || errors.Is(err2, errAbsent) {
		return "", nil
	}
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	if !strings.EqualFold(now, next) {
		return "ComputerName " + next, nil
	}
	return "", nil
}

func (e *Eyes) volatile() (string, error) {
	n, err := e.number(`HKLM\SOFTWARE\Microsoft\Updates`, "UpdateExeVolatile")
	if errors.Is(err, errAbsent) || err == nil && n == 0 {
		return "", nil
	}
	return "UpdateExeVolatile", err
}

// updateWaits is what the last search was told by Windows Update itself.
func (e *Eyes) updateWaits() (string, error) {
	if e.search.RebootRequired {
		return "Windows Update", nil
	}
	return "", nil
}

//go:embed support.json
var builtInSupport []byte

// supportTable says when support of which build ends, for which editions. Its lines have the form of every table of ends of support.
type supportTable struct {
	Made    string `json:"made"`
	Systems []struct {
		ID      string `json:"id"`      // windows
		Version string `json:"version"` // the build
		Edition string `json:"edition"` // server, home, enterprise, ltsc, iot-ltsc
		End     string `json:"end"`     // the last day
	} `json:"systems"`
}

const maxTable = 1 << 20

func (e *Eyes) supportTable() (supportTable, error) {
	var t supportTable
	text := builtInSupport
	if e.Support != nil {
		if b := e.Support(); b != nil && strings.Contains(string(b[:min(len(b), maxTable)]), `"windows"`) {
			text = b
		}
	}
	if len(text) > maxTable {
		return t, errors.New("cannot use the table of ends of support: it is too long")
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("cannot read the table of ends of support: %w", err)
	}
	for _, s := range t.Systems {
		if _, err := time.Parse(time.DateOnly, s.End); err != nil || s.ID == "" {
			return t, fmt.Errorf("cannot use the table of ends of support: line %s %s has no day", s.ID, s.Version)
		}
	}
	return t, nil
}

// supportEnd says when this build gets no more updates. An activated extension (ESU) moves it.
func (e *Eyes) supportEnd(ctx context.Context, w policy.WindowsVersion, err error) policy.Reading {
	o := e.of(policy.FactSupportEnd, "registry CurrentBuildNumber, EditionID")
	if err != nil {
		return not(o, err)
	}
	o.Label = w.Name() + " " + w.Edition
	table, err := e.supportTable()
	if err != nil {
		return o.Unread(policy.CodeNoReference, err.Error())
	}
	class := editionClass(w)
	for _, s := range table.Systems {
		if s.ID == "windows" && s.Version == fmt.Sprint(w.Build) && s.Edition == class {
			end, _ := time.Parse(time.DateOnly, s.End)
			o.Source = "table of " + table.Made
			return o.Time(e.extended(ctx, w, end).AddDate(0, 0, 1))
		}
	}
	return o.Unread(policy.CodeNoReference, fmt.Sprintf("cannot say when support of %s %s (%s, build %d) ends: it is not in the table of %s", w.Name(), w.Edition, class, w.Build, table.Made))
}

// editionClass: the edition decides the day (Microsoft Lifecycle: Home and Pro, Enterprise and Education, LTSC).
func editionClass(w policy.WindowsVersion) string {
	id := strings.ToLower(w.Edition)
	install := strings.ToLower(strings.TrimSpace(w.Installation))
	server := strings.HasPrefix(install, "server")
	switch {
	case !server && install != "client":
		return "?"
	case server && strings.HasPrefix(id, "server"):
		return "server"
	case server:
		return "?"
	case strings.HasPrefix(id, "iotenterprises"):
		return "iot-ltsc"
	case strings.HasPrefix(id, "enterprises"):
		return "ltsc"
	case strings.HasPrefix(id, "enterprise"), strings.HasPrefix(id, "education"), strings.HasPrefix(id, "iotenterprise"), strings.HasPrefix(id, "serverrdsh"):
		return "enterprise"
	case strings.HasPrefix(id, "professional"), strings.HasPrefix(id, "core"):
		return "home"
	}
	return "?"
}

// esuYears are the extensions of Windows 10 22H2 by their activation (Microsoft Learn, "Enable Extended Security Updates").
var esuYears = []struct{ id, end string }{
	{"f520e45e-7413-4a34-a497-d2765967d094", "2026-10-13"},
	{"1043add5-23b1-4afb-9a0f-64343c8f3f8d", "2027-10-12"},
	{"83d49986-add3-41d7-ba33-87c7bfb5c0fb", "2028-10-10"},
}

const build22H2 = 19045

// extended asks for the extensions one after the other: a later year needs the earlier ones. What does not answer extends nothing.
func (e *Eyes) extended(ctx context.Context, w policy.WindowsVersion, end time.Time) time.Time {
	if w.Build != build22H2 || end.After(e.Now()) {
		return end
	}
	for _, y := range esuYears {
		r := e.ask(ctx, `root\cimv2`, "SoftwareLicensingProduct", "ID = '"+y.id+"'", "")
		if r.Code != "" || !slices.ContainsFunc(r.Instances, func(in instance) bool { n, err := in.number("LicenseStatus"); return err == nil && n == 1 }) {
			break
		}
		if at, err := time.Parse(time.DateOnly, y.end); err == nil {
			end = at
		}
	}
	return end
}
