package sensor

import (
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sekisho/internal/sysfs"
)

// Bounds on what is read: sysfs gives a page for text; the kernel takes at most 8 configurations of 64 KiB.
const (
	maxText        = 4096
	maxDescriptors = 8*65535 + sizeDevice
	maxWord        = 256 // bytes of a string that came from a device
)

// at is where a name lies; nothing outside the tree has one.
func (t tree) at(name string) (string, bool) {
	return t.root + "/" + name, fs.ValidPath(name)
}

// read gives the content of a file; ok is false when it cannot be read or is longer than max bytes.
func (t tree) read(name string, max int) ([]byte, bool) {
	file, ok := t.at(name)
	if !ok {
		return nil, false
	}
	read := slurp
	if strings.HasPrefix(name, "sys/") {
		read = sysfs.Attr
	}
	b, err := read(file, max+1)
	return b, err == nil && len(b) <= max
}

// slurp reads at most max bytes of an ordinary file.
func slurp(file string, max int) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(max)))
}

// attr is a one-line attribute of the kernel's own making; "" when it is missing.
func (t tree) attr(dir, name string) string {
	b, _ := t.read(path.Join(dir, name), maxText)
	return strings.TrimSpace(string(b))
}

// hex reads an attribute as the kernel prints ids ("0781", "0x144d", "0x000003") and gives 4 hex digits, or "".
func (t tree) hex(dir, name string) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(t.attr(dir, name), "0x"), 16, 32)
	if err != nil {
		return ""
	}
	return fourHex(n)
}

func fourHex(n uint64) string {
	s := "000" + strconv.FormatUint(n&0xffff, 16)
	return s[len(s)-4:]
}

func (t tree) byteAt(dir, name string) (uint8, bool) {
	n, err := strconv.ParseUint(t.attr(dir, name), 16, 8)
	return uint8(n), err == nil
}

// words is a text that the device itself chose. It is cleaned before anyone sees it.
func (t tree) words(dir, name string, unclean *bool) string {
	b, ok := t.read(path.Join(dir, name), maxText)
	if !ok {
		return ""
	}
	s, clean := cleanWords(strings.TrimSuffix(string(b), "\n"))
	*unclean = *unclean || !clean
	return s
}

// cleanWords makes a device's text fit for logs, pages and files: what cannot be printed becomes U+FFFD,
// and no more than maxWord bytes are kept. Blanks around it, which SCSI and ATA pad with, are no fault.
func cleanWords(s string) (string, bool) {
	s = strings.Trim(s, " ")
	out := strings.ToValidUTF8(s, "\uFFFD")
	out = strings.Map(printable, out)
	out = cut(out, maxWord)
	return out, out == s
}

func printable(r rune) rune {
	if unicode.IsPrint(r) || r == '\u3000' {
		return r
	}
	return '\uFFFD'
}

func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// names lists a folder, sorted; what cannot be listed is empty.
func (t tree) names(dir string) []string {
	folder, ok := t.at(dir)
	if !ok {
		return nil
	}
	return sysfs.Names(folder)
}

// match finds what lies below a folder by a pattern as path.Match has it.
func (t tree) match(dir, pattern string) []string {
	found := []string{dir}
	for _, part := range strings.Split(pattern, "/") {
		var deeper []string
		for _, at := range found {
			for _, name := range t.names(at) {
				if ok, _ := path.Match(part, name); ok { // errs only on a bad pattern
					deeper = append(deeper, path.Join(at, name))
				}
			}
		}
		found = deeper
	}
	return found
}

func (t tree) stat(name string) (fs.FileInfo, error) {
	file, ok := t.at(name)
	if !ok {
		return nil, fs.ErrInvalid
	}
	return os.Stat(file)
}

func (t tree) exists(name string) bool {
	_, err := t.stat(name)
	return err == nil
}

// real follows the one link that bus and class folders hold, to the path that uevents use.
func (t tree) real(link string) (string, bool) {
	file, ok := t.at(link)
	if !ok {
		return "", false
	}
	target, err := sysfs.Link(file)
	if err != nil {
		return "", false
	}
	return path.Join(path.Dir(link), target), true
}

// fourDigits pads a hex id without leading zeros; "" when it is none.
func fourDigits(s string) string {
	n, err := strconv.ParseUint(s, 16, 16)
	if err != nil {
		return ""
	}
	return fourHex(n)
}
