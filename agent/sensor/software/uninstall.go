package software

import (
	"strings"
	"time"

	"sekisho/internal/policy"
)

// The values of a key below Uninstall that are read (https://learn.microsoft.com/windows/win32/msi/uninstall-registry-key).
var uninstallValues = []string{
	"DisplayName", "DisplayVersion", "Publisher", "InstallDate", "InstallLocation", "InstallSource", "EstimatedSize", "WindowsInstaller",
}

// hive is one of the places where Uninstall stands: the machine's two views, or what a person has.
type hive struct {
	id   string // "64", "32" or the person's SID
	user string // whose it is; "" is the machine's
}

// uninstallable are the programs in one Uninstall key. Entries without a name are parts of others: Windows does not show them.
func uninstallable(h hive, entries []regEntry) (out []policy.Program) {
	for _, e := range entries {
		r := entryReader{regEntry: e}
		name := r.word(r.raw("DisplayName"))
		if name == "" && len(r.problems) == 0 {
			continue
		}
		p := policy.Program{
			Kind: policy.ProgramApp, Name: name, Version: r.word(r.raw("DisplayVersion")), Publisher: r.word(r.raw("Publisher")),
			Path: r.path(r.raw("InstallLocation")), Origin: r.word(r.raw("InstallSource")), Source: policy.SourceUnknown,
			User: h.user, InstalledAt: day(r.raw("InstallDate")), InstalledBy: h.user,
		}
		if p.Name == "" {
			p.Name = r.word(e.name) // its name cannot be read, but it is there
		}
		if kib, ok := r.values["EstimatedSize"].number(); ok {
			p.Size = int64(kib) * 1024
		}
		if msi, ok := r.values["WindowsInstaller"].number(); ok && msi == 1 && isGUID(e.name) {
			p.Kind = policy.ProgramMSI
		}
		p.ID, p.Unclean, p.Fault = uninstallID(p.Kind, h, e.name), r.unclean, r.fault()
		out = append(out, p)
	}
	return out
}

// uninstallID is the same at every look; the registry does not tell capitals from small letters. A product of Windows
// Installer for the whole machine has one id whichever view it stands in.
func uninstallID(kind policy.ProgramKind, h hive, key string) string {
	key = strings.ToLower(key)
	if kind == policy.ProgramMSI && h.user == "" && !strings.HasPrefix(h.id, "S-") {
		return ident("msi", key)
	}
	return ident(string(kind), h.id, key)
}

// day reads InstallDate, YYYYMMDD; other installers have forms of their own, which are not guessed at. Of Windows Installer it
// is the day of the last repair.
func day(s string) time.Time {
	at, err := time.ParseInLocation("20060102", strings.TrimSpace(s), time.Local)
	if err != nil || at.Year() < 1990 || at.Year() > 2200 {
		return time.Time{}
	}
	return at.UTC()
}

// isGUID: {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}.
func isGUID(s string) bool {
	if len(s) != 38 || s[0] != '{' || s[37] != '}' {
		return false
	}
	for i, c := range []byte(strings.ToLower(s[1:37])) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// packaged are the packaged apps of one person: the keys are named Name_Version_Architecture_Resource_Publisher
// (https://learn.microsoft.com/windows/apps/desktop/modernize/package-identity-overview).
func packaged(h hive, entries []regEntry) (out []policy.Program) {
	for _, e := range entries {
		part := strings.Split(e.name, "_")
		if len(part) != 5 || part[0] == "" || part[1] == "" {
			continue // no package
		}
		r := entryReader{regEntry: e}
		p := policy.Program{
			ID: ident("msix", h.id, strings.ToLower(part[0]+"_"+part[2]+"_"+part[3]+"_"+part[4])), Kind: policy.ProgramMSIX,
			Name: r.word(part[0]), Version: r.word(part[1]), Arch: r.word(part[2]), Publisher: r.word(part[4]),
			Path: r.path(r.raw("PackageRootFolder")), Source: policy.SourceUnknown, User: h.user,
		}
		p.Unclean, p.Fault = r.unclean, r.fault()
		out = append(out, p)
	}
	return out
}

// sidIn is the person in a program's id: app:S-1-5-21-…:name.
func sidIn(id string) string {
	part := strings.SplitN(id, ":", 3)
	if len(part) < 3 || !strings.HasPrefix(part[1], "S-1-") {
		return ""
	}
	return part[1]
}

// isPerson says whether a key of HKEY_USERS is a person's own hive: a local or domain account's (S-1-5-21-…) or one of the
// cloud directory's (S-1-12-1-…), and not the part with its classes
// (https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers). A profile that Windows
// could not load stands in the list of profiles a second time, as SID.bak.
func isPerson(key string) bool {
	return (strings.HasPrefix(key, "S-1-5-21-") || strings.HasPrefix(key, "S-1-12-1-")) && !strings.HasSuffix(key, "_Classes") && !strings.Contains(key, ".")
}

// profileAt is a person's profile as the list of profiles says it. Files are opened on disks of this terminal only: another
// machine may not answer, and would be told who asks.
func profileAt(sid, folder string) profile {
	p := profile{sid: sid, folder: folder}
	disk := len(folder) > 3 && folder[1:3] == `:\` && (folder[0]|0x20 >= 'a' && folder[0]|0x20 <= 'z')
	if !disk || strings.Contains(folder, "..") {
		p.fault = "the list of profiles does not name a folder on a disk of this terminal"
	}
	return p
}
