package execgate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// Without knowing what is installed nothing is stopped: it would be everything.
var (
	errNoDatabase = errors.New("cannot judge programs: this system has no package database that this agent reads (dpkg's, rpm's)")
	errDamaged    = errors.New("cannot judge programs: the package database does not name dpkg itself, it is damaged or being written")
)

// No list of a package is longer than this: linux-headers has 20,000 paths.
const maxList = 64 << 20

// readDpkg builds the index of what dpkg installed below root: the lists of every package that is installed, as paths are
// after the merge of /bin into /usr/bin and after diversions (dpkg-query(1), dpkg-divert(1)).
// Lists that are the same as when old was made are not read again.
func readDpkg(root string, programs []policy.Program, old *index) (*index, error) {
	x := newIndex(programs, policy.ProgramDeb)
	x.entries, x.stamps = make([]uint64, 0, len(old.entries)), make([]int64, x.packages.Len())
	info := filepath.Join(root, dpkgInfo)
	x.folder = changedAt(info)
	files, err := namesIn(info)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoDatabase
	}
	if _, ok := x.find("dpkg"); err == nil && !ok {
		return nil, errDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the package database: %w", err)
	}
	moves, err := readDiversions(filepath.Join(root, "/var/lib/dpkg/diversions"))
	if err != nil {
		return nil, err
	}
	l := lists{x: x, merged: mergedFolders(root), moves: moves, buffer: make([]byte, 64<<10)}
	if x.ground = fmt.Sprint(l.merged, l.moves); x.ground == old.ground {
		x.seed = old.seed
	} else {
		old = noIndex
	}
	same := make([]int, len(old.stamps))
	for _, list := range files {
		name, ok := strings.CutSuffix(list, ".list")
		if !ok {
			continue
		}
		n, known := x.find(name)
		if !known {
			continue
		}
		file := filepath.Join(info, list)
		if at := changedAt(file); !at.IsZero() {
			x.stamps[n] = at.UnixNano()
		}
		if m, had := old.find(name); had && x.stamps[n] != 0 && x.stamps[n] == old.stamps[m] {
			same[m] = n + 1
		} else if err := l.take(file, n); err != nil {
			return nil, err
		}
	}
	x.adopt(old, same)
	x.sort()
	return x, nil
}

// namesIn lists a folder of thousands of files in no order: to look at each and to sort them costs more than to read them.
func namesIn(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// changedAt is when a file or folder was changed last; zero is unknown, or so lately that it may change again within the
// clock's tick. dpkg writes a package's list anew with every version, and only root can.
func changedAt(name string) time.Time {
	info, err := os.Lstat(name)
	if err != nil || time.Since(info.ModTime()).Abs() < time.Second {
		return time.Time{}
	}
	return info.ModTime()
}

// outdated says that dpkg's lists may be others than those that were read. Of rpm's database nobody knows but rpm.
func (x *index) outdated(root string) bool {
	return x.ground != "" && (x.folder.IsZero() || !changedAt(filepath.Join(root, dpkgInfo)).Equal(x.folder))
}

// lists takes in the lists of packages one after the other.
type lists struct {
	x      *index
	merged map[string]string
	moves  map[string]diversion
	buffer []byte
}

func (l *lists) take(file string, number int) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed since the folder was read
	}
	if err != nil {
		return fmt.Errorf("cannot read a package's list: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxList))
	lines.Buffer(l.buffer, 64<<10)
	before := ""
	for lines.Scan() {
		path := lines.Text()
		if before != "" && !strings.HasPrefix(path, before+"/") { // else it is a folder
			l.put(before, number)
		}
		before = path
	}
	if before != "" {
		l.put(before, number)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read a package's list: %s: %w", filepath.Base(file), err)
	}
	return nil
}

// What is only ever read by people: leaving it out halves the index.
var neverRun = []string{"/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/", "/usr/share/icons/", "/usr/share/help/", "/usr/share/lintian/", "/usr/share/zoneinfo/"}

func (l *lists) put(path string, number int) {
	if path == "/." { // every list begins with it
		return
	}
	for _, prefix := range neverRun {
		if strings.HasPrefix(path, prefix) {
			return
		}
	}
	if d, ok := l.moves[path]; ok && d.by != l.x.packages.Name(number) {
		path = d.to
	}
	l.x.add(l.settle(path), number)
}

// settle writes a path as the kernel does on a system whose /bin is a link to /usr/bin.
func (l *lists) settle(path string) string {
	top := path
	if i := strings.IndexByte(path[min(1, len(path)):], '/'); i > 0 {
		top = path[:i+1]
	}
	if to, ok := l.merged[top]; ok {
		return to + path[len(top):]
	}
	return path
}

// mergedFolders says which of the folders at the top are links into /usr (https://wiki.debian.org/UsrMerge).
func mergedFolders(root string) map[string]string {
	merged := map[string]string{}
	for _, name := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		to, err := os.Readlink(filepath.Join(root, name))
		if err == nil {
			merged[name] = filepath.Clean("/" + to)
		}
	}
	return merged
}

// diversion says that one package's file stands elsewhere, because another package has the place.
type diversion struct{ to, by string }

// readDiversions reads dpkg's file of them: from, to, and by whom, a line each (dpkg-divert(1)).
func readDiversions(file string) (map[string]diversion, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the package database: %w", err)
	}
	moves := map[string]diversion{}
	lines := strings.Split(string(raw), "\n")
	for ; len(lines) >= 3; lines = lines[3:] {
		moves[lines[0]] = diversion{to: lines[1], by: lines[2]}
	}
	return moves, nil
}
