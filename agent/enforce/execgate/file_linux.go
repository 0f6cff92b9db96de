package execgate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// identity is a file and its state: any change of its content changes the last three, and nobody can set ctime.
type identity struct {
	dev, inode   uint64
	size         int64
	mtime, ctime int64 // ns
}

// same says whether both are the same file, whatever is in it.
func (a identity) same(b identity) bool { return a.dev == b.dev && a.inode == b.inode }

// facts is what is known of a file without reading it.
type facts struct {
	identity
	uid  uint32
	mode uint32
}

// private says that nobody but root can change the file.
func (f facts) private() bool { return f.uid == 0 && f.mode&0o022 == 0 }

func (f facts) regular() bool { return f.mode&unix.S_IFMT == unix.S_IFREG }

// AT_STATX_DONT_SYNC: a file system that somebody else serves is not asked, so that nothing waits for it (statx(2)).
const statFlags = unix.AT_STATX_DONT_SYNC

func statFD(fd int) (facts, error)        { return statAt(fd, "", unix.AT_EMPTY_PATH|statFlags) }
func statPath(name string) (facts, error) { return statAt(unix.AT_FDCWD, name, statFlags) }
func statPlace(name string) (facts, error) {
	return statAt(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW|statFlags)
}

func statAt(fd int, name string, flags int) (f facts, err error) {
	var s unix.Statx_t
	if err := unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS, &s); err != nil {
		return f, err
	}
	f.identity = identity{deviceNumber(s.Dev_major, s.Dev_minor), s.Ino, int64(s.Size), s.Mtime.Sec*1e9 + int64(s.Mtime.Nsec), s.Ctime.Sec*1e9 + int64(s.Ctime.Nsec)}
	f.uid, f.mode = s.Uid, uint32(s.Mode)
	return f, nil
}

// privatePlace says that nobody but root can put another file in the place of this one: every folder above is root's.
func privatePlace(name string) bool {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		f, err := statPlace(dir)
		if err != nil || !f.private() || f.mode&unix.S_IFMT != unix.S_IFDIR {
			return false
		}
		if dir == "/" {
			return true
		}
	}
}

func readLink(name string) string {
	var b [unix.PathMax]byte
	n, err := unix.Readlink(name, b[:])
	if err != nil {
		return ""
	}
	return string(b[:n])
}

func pathOf(fd int32) string { return readLink("/proc/self/fd/" + strconv.Itoa(int(fd))) }

// headOf reads how a file begins.
func headOf(fd int32) []byte {
	b := make([]byte, 256)
	n, err := unix.Pread(int(fd), b, 0)
	if err != nil || n < 0 {
		return nil
	}
	return b[:n]
}

// maxHashed bounds what is read to recognise a file by its hash; a longer one has none, and rules by hash do not fit it.
const maxHashed = 4 << 30

var errTooLong = errors.New("cannot take the hash: the file is too long")

// hashOf reads the whole file, until ctx ends.
func hashOf(ctx context.Context, fd int32, size int64) (string, error) {
	if size > maxHashed {
		return "", errTooLong
	}
	h, b := sha256.New(), make([]byte, 128<<10)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := unix.Pread(int(fd), b, at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", err
		}
		if n == 0 {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if at += int64(n); at > maxHashed {
			return "", errTooLong // it grows while it is read
		}
		h.Write(b[:n])
	}
}
