package software

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sekisho/internal/policy"
)

// Bounds of the search for AppImages: people put them where they download, on the desktop, or into a folder for programs.
const (
	maxDepth   = 3         // folders below a home, /opt, /srv or /tmp
	maxEntries = 20000     // files and folders of one search
	maxImages  = 500       // found
	maxHashed  = 512 << 20 // bytes of a file whose hash is taken
)

// isAppImage: an ELF file with AI and 1 or 2 at byte 8 (https://github.com/AppImage/AppImageSpec/blob/master/draft.md).
func isAppImage(head []byte) bool {
	return len(head) >= 11 && bytes.HasPrefix(head, []byte("\x7fELF")) && head[8] == 'A' && head[9] == 'I' && (head[10] == 1 || head[10] == 2)
}

// search is one look for AppImages. What was found before and has neither size nor time changed is not read again.
type search struct {
	left  int
	found []policy.Program
	known map[string]policy.Program
	stop  map[string]bool // folders that are not entered: what is mounted there may be a network's, which does not answer
	full  bool            // there was more than may be looked at
	lost  error           // why a folder of one place could not be read
}

func (s *search) miss(err error) {
	if hidden(err) {
		s.lost = err
	}
}

// below looks into one place; shown is how its path is called, whose is who owns it.
func (s *search) below(dir folder, shown, whose string) error {
	s.lost = nil
	s.walk(dir, ".", shown, whose, maxDepth)
	return s.lost
}

func (s *search) walk(dir folder, at, shown, whose string, depth int) {
	f, err := dir.Open(at)
	if err != nil {
		s.miss(err)
		return
	}
	entries, err := f.ReadDir(max(s.left, 1))
	f.Close()
	if !errors.Is(err, io.EOF) {
		s.miss(err)
	}
	for _, e := range entries {
		if s.left--; s.left < 0 || len(s.found) >= maxImages {
			s.full = true
			return
		}
		name := path.Join(at, e.Name())
		switch {
		case e.IsDir() && depth > 0 && !skipped(e.Name()) && !s.stop[path.Join(shown, name)]:
			s.walk(dir, name, shown, whose, depth-1)
		case e.Type().IsRegular():
			s.look(dir, name, path.Join(shown, name), whose)
		}
	}
}

// skipped are folders that hold thousands of files and no programs that people start.
func skipped(name string) bool {
	switch name {
	case ".cache", ".mozilla", ".thunderbird", ".config", "node_modules", ".git", ".wine", "Trash":
		return true
	}
	return false
}

// look reads the beginning of a file that may be one, without following links and without waiting for pipes.
func (s *search) look(dir folder, name, shown, whose string) {
	f, err := dir.OpenFile(name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return // not for us, or gone meanwhile: it was in its folder a moment ago
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened: it may have been replaced since it was listed
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	head := make([]byte, 11)
	if n, err := io.ReadFull(f, head); err != nil || !isAppImage(head[:n]) {
		return
	}
	s.found = append(s.found, s.image(f, info, shown, whose))
}

func (s *search) image(f *os.File, info fs.FileInfo, shown, whose string) policy.Program {
	var c cleaner
	p := policy.Program{
		ID: ident("appimage", shown), Kind: policy.ProgramAppImage, Name: c.word(strings.TrimSuffix(path.Base(shown), ".AppImage")),
		Path: c.path(shown), Size: info.Size(), Source: policy.SourceNone, User: whose, InstalledAt: info.ModTime().UTC(),
	}
	old := s.known[p.ID]
	if old.Size == p.Size && old.InstalledAt.Equal(p.InstalledAt) && old.Hash != "" {
		p.Hash = old.Hash
	} else {
		p.Hash, p.Fault = hashOf(f, info.Size())
	}
	p.Unclean = c.unclean
	return p
}

func hashOf(f *os.File, size int64) (sum, fault string) {
	if size > maxHashed {
		return "", "too long for its hash to be taken"
	}
	h := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", "cannot be read"
	}
	if _, err := io.Copy(h, io.LimitReader(f, maxHashed)); err != nil {
		return "", "cannot be read"
	}
	return hex.EncodeToString(h.Sum(nil)), ""
}

// mountPoints reads where something is mounted, below the root itself
// (https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html): the fifth word, with some signs as octal numbers.
func mountPoints(mountinfo string) map[string]bool {
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	out := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 5 {
			out[plain.Replace(f[4])] = true
		}
	}
	return out
}

// home is a person's folder.
type home struct{ user, path string }

// homesOf reads the people in /etc/passwd (https://man7.org/linux/man-pages/man5/passwd.5.html): those from 1000 on, and
// root. Homes that are no folders of their own, and those of a directory service, are found by listing /home.
func homesOf(passwd string, listed []string) (out []home) {
	seen := map[string]bool{"/": true, "/nonexistent": true}
	add := func(user, dir string) {
		if dir = path.Clean(dir); path.IsAbs(dir) && !seen[dir] && len(out) < 1000 {
			seen[dir] = true
			user, _ = clean(user, maxWord)
			out = append(out, home{user, dir})
		}
	}
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 7 && (len(f[2]) > 3 && strings.Trim(f[2], "0123456789") == "" || f[2] == "0") && f[0] != "nobody" {
			add(f[0], f[5])
		}
	}
	for _, name := range listed {
		add(name, filepath.ToSlash(filepath.Join("/home", name)))
	}
	return out
}
