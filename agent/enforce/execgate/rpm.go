package execgate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// errOnlyLooks is said for as long as it is so. What rpm has just unpacked is in no database for the seconds in which it is read again, and
// its scriptlets run at once: without rpm's own word about a transaction a gate that stops would break upgrades.
var errOnlyLooks = errors.New("programs are recorded and not stopped: this system's packages are rpm's, whose transactions nobody vets")

// rpmFiles asks for one line a file (https://rpm-software-management.github.io/rpm/man/rpm-queryformat.7); no name of a file is
// written otherwise than it stands in the database.
const rpmFiles = "[%{=NAME}\x1f%{=ARCH}\x1f%{FILEMODES:octal}\x1f%{FILENAMES}\x1e]"

// Places of rpm's database, the newer one first, and its forms.
var (
	rpmFolders = []string{"/usr/lib/sysimage/rpm", "/var/lib/rpm"}
	rpmNames   = []string{"rpmdb.sqlite", "Packages.db", "Packages"}
)

const (
	maxRpmPaths = 4_000_000
	maxRpmLine  = 64 << 10
	regularMode = 0o100000 // S_IFREG, inode(7)
	typeOfMode  = 0o170000
)

// rpmFolder is where the database is, "" where there is none. One that is not there is not asked for: rpm would make it.
func rpmFolder(root string) string {
	for _, dir := range rpmFolders {
		for _, name := range rpmNames {
			if info, err := os.Stat(filepath.Join(root, dir, name)); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
				return dir
			}
		}
	}
	return ""
}

// readRpm builds the index of what rpm installed below root; list writes what rpm says in the form of rpmFiles. Such an index lets the
// gate only look.
func readRpm(root string, programs []policy.Program, room int, list func(io.Writer) error) (*index, error) {
	x := newIndex(programs, policy.ProgramRPM)
	if _, ok := x.find("rpm"); !ok && x.packages.Len() > 0 {
		return nil, fmt.Errorf("cannot judge programs: rpm's database does not name rpm itself, it is damaged or being written")
	}
	if x.packages.Len() == 0 {
		return nil, errNoDatabase
	}
	x.looks = true
	x.entries = make([]uint64, 0, room)
	l := lists{x: x, merged: mergedFolders(root)}
	out, in := io.Pipe()
	go func() { in.CloseWithError(list(in)) }()
	err := l.takeRpm(out)
	out.CloseWithError(io.ErrClosedPipe)
	if err != nil {
		return nil, fmt.Errorf("cannot read rpm's database: %w", err)
	}
	x.sort()
	return x, nil
}

func (l *lists) takeRpm(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxRpmLine)
	lines.Split(func(data []byte, end bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, 0x1e); i >= 0 {
			return i + 1, data[:i], nil
		}
		return 0, nil, nil // what follows the last one is half a line
	})
	for lines.Scan() {
		path, number, ok := l.rpmPath(lines.Text())
		if !ok {
			continue
		}
		if len(l.x.entries) >= maxRpmPaths {
			return errors.New("it holds too many paths")
		}
		l.put(path, number)
	}
	return lines.Err()
}

// rpmPath reads one line: a regular file of a package that is known.
func (l *lists) rpmPath(line string) (path string, number int, ok bool) {
	f := strings.Split(line, "\x1f")
	if len(f) != 4 || !strings.HasPrefix(f[3], "/") {
		return "", 0, false
	}
	mode, err := strconv.ParseUint(f[2], 8, 32)
	if err != nil || mode&typeOfMode != regularMode {
		return "", 0, false
	}
	if number, ok = l.x.find(f[0] + ":" + f[1]); !ok {
		number, ok = l.x.find(f[0])
	}
	return f[3], number, ok
}

// rpmScriptlet is where rpm writes the script of a package before it has a shell run it (rpm's macro _tmppath).
const rpmScriptlet = "/var/tmp/rpm-tmp."
