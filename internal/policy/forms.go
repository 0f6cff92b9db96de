package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Forms with a long repetition are written out: as an expression the second alone takes three megabytes of every agent.

// isRegistryKey: HKLM or HKU, a backslash and 1 to 400 characters, none of them a zero.
func isRegistryKey(s string) bool {
	rest, ok := strings.CutPrefix(s, `HKLM\`)
	if !ok {
		rest, ok = strings.CutPrefix(s, `HKU\`)
	}
	return ok && rest != "" && utf8.RuneCountInString(rest) <= 400 && !strings.ContainsRune(rest, 0)
}

// isPlainName: 1 to 128 letters, digits, blanks and a few signs, of any script.
func isPlainName(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.In(r, unicode.N) && !strings.ContainsRune(" ._:@{}()+-", r) {
			return false
		}
	}
	return s != "" && utf8.RuneCountInString(s) <= 128
}
