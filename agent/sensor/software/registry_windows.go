package software

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"sekisho/internal/policy"
)

// Where Windows notes what is installed.
const (
	uninstallPath = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`
	packagesPath  = `Local Settings\Software\Microsoft\Windows\CurrentVersion\AppModel\Repository\Packages` // in the hive with a person's classes
	profilesPath  = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`
)

const maxValue = 64 << 10

// place is an Uninstall key and whose it is.
type place struct {
	hive
	root registry.Key
	path string
	view uint32
}

func machinePlaces() []place {
	return []place{
		{hive{id: "64"}, registry.LOCAL_MACHINE, uninstallPath, registry.WOW64_64KEY},
		{hive{id: "32"}, registry.LOCAL_MACHINE, uninstallPath, registry.WOW64_32KEY},
	}
}

// signedIn are the SIDs of the people whose hives are there.
func signedIn() (out []string, err error) {
	names, err := subKeys(registry.USERS, "", 0)
	for _, name := range names {
		if isPerson(name) {
			out = append(out, name)
		}
	}
	return out, err
}

// registryEyes read what the registry says is installed.
type registryEyes struct {
	accounts map[string]string // names of SIDs: asking for one can take long where the domain is out of reach
	tried    map[string]int    // products of Windows Installer of which the log was asked who installed them
}

// nameOf is a SID's name, asked for once.
func (e *registryEyes) nameOf(sid string) string {
	if _, known := e.accounts[sid]; !known {
		e.accounts[sid] = account(sid)
	}
	return e.accounts[sid]
}

func (e *registryEyes) people() (out []hive, err error) {
	sids, err := signedIn()
	for _, sid := range sids {
		out = append(out, hive{id: sid, user: e.nameOf(sid)})
	}
	return out, err
}

// account is a SID's name; the SID itself where nobody knows it.
func account(sid string) string {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return sid
	}
	user, domain, _, err := s.LookupAccount("")
	if err != nil || user == "" {
		return sid
	}
	name, _ := clean(domain+`\`+user, maxWord)
	return name
}

func hasProfile(sid string) bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, profilesPath+`\`+sid, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return !errors.Is(err, registry.ErrNotExist)
	}
	k.Close()
	return true
}

// uninstall reads all Uninstall keys, the machine's and those of the people who are signed in.
func (e *registryEyes) uninstall(before map[string]policy.Program, _ bool) reading {
	who, err := e.people()
	places := machinePlaces()
	for _, h := range who {
		places = append(places, place{h, registry.USERS, h.id + `\` + uninstallPath, 0})
	}
	r := readPlaces(before, who, err, places, uninstallValues, uninstallable)
	credit(r.programs, before, e.tried, installations, e.nameOf)
	return r
}

func (e *registryEyes) packages(before map[string]policy.Program, _ bool) reading {
	who, err := e.people()
	var places []place
	for _, h := range who {
		places = append(places, place{h, registry.USERS, h.id + `_Classes\` + packagesPath, 0})
	}
	return readPlaces(before, who, err, places, []string{"PackageRootFolder"}, packaged)
}

func readPlaces(before map[string]policy.Program, who []hive, err error, places []place, values []string, programs func(hive, []regEntry) []policy.Program) reading {
	var r reading
	here := map[string]bool{}
	for _, h := range who {
		here[h.id] = true
	}
	for _, p := range places {
		entries, e := entriesOf(p, values)
		if e != nil {
			err = e
		}
		r.programs = append(r.programs, programs(p.hive, entries)...)
	}
	if err != nil {
		r.torn, r.fault = true, "cannot read what is installed: "+err.Error()
	}
	r.programs = append(r.programs, absent(before, here, hasProfile)...)
	return r
}

// entriesOf reads the keys below one; a key that is not there holds none.
func entriesOf(p place, values []string) (out []regEntry, err error) {
	names, err := subKeys(p.root, p.path, p.view)
	for _, name := range names {
		k, e := registry.OpenKey(p.root, p.path+`\`+name, registry.QUERY_VALUE|p.view)
		if errors.Is(e, registry.ErrNotExist) {
			continue // gone meanwhile
		}
		if e != nil {
			err = fmt.Errorf("%s: %w", p.path, e)
			continue
		}
		out = append(out, regEntry{name: name, values: valuesOf(k, values)})
		k.Close()
	}
	return out, err
}

func valuesOf(k registry.Key, names []string) map[string]regValue {
	out, buf := map[string]regValue{}, make([]byte, 1024)
	for _, name := range names {
		n, kind, err := k.GetValue(name, buf)
		if errors.Is(err, registry.ErrShortBuffer) && n <= maxValue {
			buf = make([]byte, n)
			n, kind, err = k.GetValue(name, buf)
		}
		switch {
		case err == nil:
			out[name] = regValue{kind: kind, data: append([]byte(nil), buf[:min(n, len(buf))]...)}
		case errors.Is(err, registry.ErrShortBuffer):
			out[name] = regValue{kind: kind, long: true}
		}
	}
	return out
}

// subKeys lists a key, no more than maxPrograms; none where it is not there.
func subKeys(root registry.Key, path string, view uint32) ([]string, error) {
	k, err := registry.OpenKey(root, path, registry.ENUMERATE_SUB_KEYS|view)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(maxPrograms)
	if err != nil && !errors.Is(err, io.EOF) { // of fewer than were asked for
		return names, fmt.Errorf("%s: %w", path, err)
	}
	return names, nil
}
