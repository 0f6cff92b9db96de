package software

import (
	"context"
	"encoding/binary"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sekisho/internal/policy"
)

// linux are the places where programs lie without a package manager's database.
type linux struct{ root string }

func (m linux) at(name string) string { return filepath.Join(m.root, name) }

func (m linux) homes() []home {
	return homesOf(tail(m.at("etc/passwd"), maxHistory), namesIn(m.at("home")))
}

func (m linux) snaps() source {
	return source{name: "snap", mark: func() string { return "" }, read: func(context.Context, map[string]policy.Program, bool) (r reading) {
		for _, name := range snapFolders {
			r.inside(m.at(name), "cannot read snaps", snaps)
		}
		return r
	}}
}

func (m linux) flatpaks() source {
	return source{name: "flatpak", mark: func() string { return "" }, read: func(context.Context, map[string]policy.Program, bool) (r reading) {
		add := func(name, whose string) {
			r.inside(m.at(name), "cannot read flatpaks", func(dir folder) ([]policy.Program, error) { return flatpaks(dir, whose) })
		}
		add(flatpakFolder, "")
		for _, h := range m.homes() {
			add(path.Join(h.path, flatpakHomeFolder), h.user)
		}
		return r
	}}
}

// inside adds what a folder holds. Of one that cannot be read nothing is taken for gone.
func (r *reading) inside(path, failed string, programs func(folder) ([]policy.Program, error)) {
	dir, err := openFolder(path)
	if err == nil {
		var found []policy.Program
		found, err = programs(dir)
		r.programs = append(r.programs, found...)
		dir.Close()
	}
	if hidden(err) {
		r.torn, r.fault = true, failed+": "+err.Error()
	}
}

const nowhere = "cannot look everywhere for AppImages"

// temporary is where the machine's /tmp is: a service with a /tmp of its own sees it through the first process.
func (m linux) temporary() string {
	if _, err := os.Stat("/proc/1/root/tmp"); m.root == "/" && err == nil {
		return "proc/1/root/tmp"
	}
	return "tmp"
}

func (m linux) appImages() source {
	return source{name: "appimage", mark: func() string { return "" }, read: func(_ context.Context, before map[string]policy.Program, _ bool) (r reading) {
		s := search{left: maxEntries, known: before, stop: mountPoints(procText(m.at("proc/1/mountinfo")))}
		in := func(name, shown, whose string) {
			r.inside(m.at(name), nowhere, func(dir folder) ([]policy.Program, error) { return nil, s.below(dir, shown, whose) })
		}
		in("opt", "/opt", "")
		in("srv", "/srv", "")
		in(m.temporary(), "/tmp", "")
		for _, h := range m.homes() {
			in(h.path, h.path, h.user)
		}
		r.programs = s.found
		if s.full {
			r.torn, r.fault = true, nowhere+": there are too many files"
		}
		return r
	}}
}

// procText is a file of the kernel's, which tells no length.
func procText(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(raw)
}

// databases are the folders of which every change is told, below the root.
func (m linux) databases() []string {
	out := append([]string{dpkgFolder, dpkgFolder + "/updates", "var/lib/snapd/snaps", flatpakFolder}, rpmFolders...)
	for _, h := range m.homes() {
		out = append(out, strings.TrimPrefix(path.Join(h.path, flatpakHomeFolder), "/"))
	}
	return append(out, snapFolders...)
}

// folders are those in which people put programs, below the root. What lies deeper is found by the look every quarter of an hour.
func (m linux) folders() []string {
	out := []string{"opt", "srv", m.temporary()}
	for _, h := range m.homes() {
		for _, name := range []string{"", "Applications", "Downloads", "Desktop", "ダウンロード", "デスクトップ", "bin", ".local/bin"} {
			out = append(out, strings.TrimPrefix(path.Join(h.path, name), "/"))
		}
	}
	return out
}

// Where rpm keeps its database, and what it is called (rpm lib/backend).
var (
	rpmFolders = []string{"var/lib/rpm", "usr/lib/sysimage/rpm"}
	rpmNames   = []string{"rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages"}
)

func (m linux) rpmFiles() (out []string) {
	for _, dir := range rpmFolders {
		for _, name := range rpmNames {
			out = append(out, m.at(filepath.Join(dir, name)))
		}
	}
	return out
}

// rpmFolder is where the database is, "" where there is none. One that is not there is not asked for: rpm would make it.
func (m linux) rpmFolder() string {
	for _, file := range m.rpmFiles() {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			rel, err := filepath.Rel(m.root, filepath.Dir(file))
			if err == nil {
				return "/" + filepath.ToSlash(rel)
			}
		}
	}
	return ""
}

// told is one word of inotify's.
type told struct {
	wd   int32
	mask uint32
	name string
}

// parseTold reads what inotify wrote: number, what happened, cookie, length of the name, and the name filled up with zeros
// (https://man7.org/linux/man-pages/man7/inotify.7.html).
func parseTold(b []byte) (out []told) {
	for len(b) >= 16 {
		n := int(binary.NativeEndian.Uint32(b[12:]))
		if n < 0 || n > len(b)-16 {
			break
		}
		name, _, _ := strings.Cut(string(b[16:16+n]), "\x00")
		out = append(out, told{int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]), name})
		b = b[16+n:]
	}
	return out
}

// namedImage says whether a file is called like an AppImage.
func namedImage(name string) bool { return strings.Contains(strings.ToLower(name), "appimage") }
