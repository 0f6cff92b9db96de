package software

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sekisho/internal/policy"
)

// folder is a folder below which nothing leads elsewhere: os.Root refuses links that point out of it, also when somebody
// changes them while they are read.
type folder struct{ *os.Root }

func openFolder(path string) (folder, error) {
	r, err := os.OpenRoot(path)
	return folder{r}, err
}

// hidden says that an error keeps from us what is there. What does not exist holds nothing, and what is not for us never was
// looked into (a home that a server refuses to root).
func hidden(err error) bool {
	return err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ENOTDIR)
}

// names lists what is in it, no more than most.
func (f folder) names(dir string, most int) ([]string, error) {
	d, err := f.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(most)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(names)
	return names, err
}

// text is the beginning of a small file; "" when it is none.
func (f folder) text(name string, most int64) string {
	if info, err := f.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	file, err := f.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	raw, _ := io.ReadAll(io.LimitReader(file, most))
	return string(raw)
}

// link is the last word of where a link points.
func (f folder) link(name string) string {
	to, err := f.Readlink(name)
	if err != nil {
		return ""
	}
	return filepath.Base(to)
}

func (f folder) changed(name string) time.Time {
	info, err := f.Lstat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC().Truncate(time.Second)
}

// Where snapd mounts what it installed: on Debian and Ubuntu, and on Fedora.
var snapFolders = []string{"snap", "var/lib/snapd/snap"}

// snaps are the snaps in a folder: NAME/current points to the revision in use (https://snapcraft.io/docs/system-snap-directory).
func snaps(dir folder) (out []policy.Program, err error) {
	names, err := dir.names(".", maxPrograms)
	for _, name := range names {
		revision := dir.link(name + "/current")
		if revision == "" || revision == "." {
			continue
		}
		var c cleaner
		yaml := dir.text(name+"/current/meta/snap.yaml", 64<<10)
		p := policy.Program{
			ID: ident("snap", name), Kind: policy.ProgramSnap, Name: c.word(name), Version: c.word(yamlWord(yaml, "version")),
			Source: policy.SourceStore, Origin: "snap", InstalledAt: dir.changed(name + "/current"),
		}
		if p.Version == "" {
			p.Version = c.word(revision)
		}
		if strings.HasPrefix(revision, "x") { // snapd numbers what was brought as a file x1, x2, …
			p.Source, p.Origin = policy.SourceLocal, ""
		}
		p.Unclean = c.unclean
		out = append(out, p)
	}
	return out, err
}

// yamlWord is the value of a one-line word at the top of a YAML file.
func yamlWord(text, key string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Trim(strings.TrimSpace(value), `'"`)
		}
	}
	return ""
}

// Where flatpak keeps what it installed: for all, and in a person's home.
const (
	flatpakFolder     = "var/lib/flatpak/app"
	flatpakHomeFolder = ".local/share/flatpak/app"
)

// flatpaks are the apps in a folder: ID/current/active/deploy begins with the remote's name, its commit is the name of the
// folder that active points to (flatpak common/flatpak-dir.c).
func flatpaks(dir folder, whose string) (out []policy.Program, err error) {
	names, err := dir.names(".", maxPrograms)
	for _, name := range names {
		current, err := dir.Readlink(name + "/current")
		if err != nil {
			continue
		}
		var c cleaner
		arch, branch := filepath.Split(current)
		commit := dir.link(name + "/current/active")
		p := policy.Program{
			ID: ident("flatpak", whose, name), Kind: policy.ProgramFlatpak, Name: c.word(name), Arch: c.word(strings.Trim(arch, "/")),
			Version: c.word(branch + "-" + cut(commit, 12)), Source: policy.SourceUnknown, User: whose, InstalledAt: dir.changed(name + "/current"),
		}
		if remote, _, ok := strings.Cut(dir.text(name+"/current/active/deploy", 64<<10), "\x00"); ok {
			p.Origin, p.Source = c.word(remote), policy.SourceStore
			if strings.HasSuffix(remote, "-origin") { // flatpak names the remote of a bundle that was brought as a file so
				p.Source = policy.SourceLocal
			}
		}
		p.Unclean = c.unclean
		out = append(out, p)
	}
	return out, err
}
