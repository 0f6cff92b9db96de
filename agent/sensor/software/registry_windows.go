package software

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"sekisho/agent/sensor/hivefile"
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
	apps     *absentees
	packaged *absentees
}

// The files of a person's two hives, below the folder of the profile.
const (
	ownHive     = "NTUSER.DAT"
	classesHive = `AppData\Local\Microsoft\Windows\UsrClass.dat` // is made with the first thing that is put into it
)

// newRegistryEyes also says which of the lists on the disk cannot be read.
func newRegistryEyes(o Options) (*registryEyes, error) {
	e := &registryEyes{accounts: map[string]string{}, tried: map[string]int{}}
	var err1, err2 error
	e.apps, err1 = e.absentees(o, "uninstall", absentees{file: ownHive, key: uninstallPath, values: uninstallValues, programs: uninstallable})
	e.packaged, err2 = e.absentees(o, "msix", absentees{file: classesHive, key: packagesPath, values: []string{"PackageRootFolder"}, programs: packaged, optional: true})
	return e, errors.Join(err1, err2)
}

func (e *registryEyes) absentees(o Options, name string, a absentees) (*absentees, error) {
	a.ask, a.here, a.name, a.now, a.up, a.known = hivefile.Ask, isSignedIn, e.nameOf, o.Now, o.Up, map[string]sight{}
	if a.now == nil {
		a.now = time.Now
	}
	if a.up == nil {
		a.up = windows.DurationSinceBoot
	}
	path := ""
	if o.Dir != "" {
		path = filepath.Join(o.Dir, name+"-people.json")
	}
	var err error
	a.met, err = meet(path)
	return &a, err
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

// profiles are the people who have one on this machine, signed in or not.
func profiles() (out []profile, err error) {
	sids, err := subKeys(registry.LOCAL_MACHINE, profilesPath, registry.WOW64_64KEY)
	for _, sid := range sids {
		if isPerson(sid) {
			out = append(out, profileAt(sid, profileFolder(sid)))
		}
	}
	return out, err
}

// profileFolder is where a person's files are, "" where that is not said.
func profileFolder(sid string) string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, profilesPath+`\`+sid, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer k.Close()
	folder, kind, err := k.GetStringValue("ProfileImagePath")
	if err == nil && kind == registry.EXPAND_SZ {
		folder, err = registry.ExpandString(folder)
	}
	if err != nil {
		return ""
	}
	return folder
}

func isSignedIn(sid string) bool {
	k, err := registry.OpenKey(registry.USERS, sid, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	k.Close()
	return true
}

// uninstall reads all Uninstall keys, the machine's and those of people.
func (e *registryEyes) uninstall(ctx context.Context, before map[string]policy.Program, _ bool) reading {
	who, err := e.people()
	places := machinePlaces()
	for _, h := range who {
		places = append(places, place{h, registry.USERS, h.id + `\` + uninstallPath, 0})
	}
	r := readPlaces(ctx, before, who, err, places, e.apps)
	credit(r.programs, before, e.tried, installations, e.nameOf)
	return r
}

func (e *registryEyes) packages(ctx context.Context, before map[string]policy.Program, _ bool) reading {
	who, err := e.people()
	var places []place
	for _, h := range who {
		places = append(places, place{h, registry.USERS, h.id + `_Classes\` + packagesPath, 0})
	}
	return readPlaces(ctx, before, who, err, places, e.packaged)
}

// readPlaces reads places in the registry, and of the people who are not there the files of their hives.
func readPlaces(ctx context.Context, before map[string]policy.Program, who []hive, err error, places []place, away *absentees) reading {
	people, e := profiles()
	if e != nil {
		err = e
	}
	here := map[string]bool{}
	for _, h := range who {
		here[h.id] = true
	}
	r := away.read(ctx, before, people, here)
	for _, p := range places {
		entries, e := entriesOf(p, away.values)
		if e != nil {
			err = e
		}
		r.programs = append(r.programs, away.programs(p.hive, entries)...)
	}
	if err != nil {
		r.torn, r.fault = true, several([]string{"cannot read what is installed: " + err.Error(), r.fault})
	}
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
