package software

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of what is kept of a program's own words.
const (
	maxWord = 256     // bytes, as policy.Program has it
	maxPath = 1024    // bytes
	maxID   = 256     // bytes; wire.MaxItemID is more
	maxRead = 4 << 10 // bytes that are looked at; of a longer word the rest is not even read
)

// clean makes a program's own words fit for pages, logs and comparison: NFKC, so that Ａｄｏｂｅ（株） is written in one way,
// nothing that cannot be printed, no more than most bytes. ok is false when something had to go; NFKC takes nothing away.
func clean(s string, most int) (_ string, ok bool) {
	if plain(s, most) {
		return s, true
	}
	ok = len(s) <= maxRead
	s = cut(s, maxRead)
	if !utf8.ValidString(s) {
		s, ok = strings.ToValidUTF8(s, "\uFFFD"), false
	}
	s = strings.Trim(norm.NFKC.String(s), " ")
	out := cut(strings.Map(printable, s), most)
	return out, ok && out == s
}

// plain says whether s is clean already, as nearly all words are.
func plain(s string, most int) bool {
	if len(s) > most || s != "" && (s[0] == ' ' || s[len(s)-1] == ' ') {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '\uFFFD'
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// cleaner cleans the words of one program and remembers whether it had to.
type cleaner struct{ unclean bool }

func (c *cleaner) word(s string) string { return c.upTo(s, maxWord) }
func (c *cleaner) path(s string) string { return c.upTo(s, maxPath) }

func (c *cleaner) upTo(s string, most int) string {
	out, ok := clean(s, most)
	c.unclean = c.unclean || !ok
	return out
}

// ident makes the id of a program of its parts. A long one, or one with signs that are not kept, ends in a hash of all of
// it: two programs never share an id because their names had to be cut.
func ident(parts ...string) string {
	raw := strings.Join(parts, ":")
	id, ok := clean(raw, maxID-65)
	if ok && id == raw {
		return id
	}
	sum := sha256.Sum256([]byte(raw))
	return id + "#" + hex.EncodeToString(sum[:16])
}
