package bundle

import (
	"cmp"
	"regexp"
	"strings"
)

// versionForm is what scripts/package calls a version: 1.2.3, 1.2.3~rc1, 1.2.3+5.gabc.
var versionForm = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]{0,63}$`)

// IsVersion says whether s can be a release's version.
func IsVersion(s string) bool { return versionForm.MatchString(s) }

// Compare sorts versions as dpkg does (https://www.debian.org/doc/debian-policy/ch-controlfields.html#version), so that
// a bundle and a package of the same version mean the same: negative when a is older. What is no version, such as a
// developer's build, is older than all that are.
func Compare(a, b string) int {
	if !IsVersion(a) || !IsVersion(b) {
		return cmp.Compare(boolean(IsVersion(a)), boolean(IsVersion(b)))
	}
	for a != "" || b != "" {
		wa, ra := split(a, false)
		wb, rb := split(b, false)
		if c := words(wa, wb); c != 0 {
			return c
		}
		na, ta := split(ra, true)
		nb, tb := split(rb, true)
		if c := numbers(na, nb); c != 0 {
			return c
		}
		a, b = ta, tb
	}
	return 0
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// split gives the leading digits, or what stands before the first digit.
func split(s string, digits bool) (head, tail string) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9') == digits {
		i++
	}
	return s[:i], s[i:]
}

func words(a, b string) int {
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(weight(a, i), weight(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// weight: a tilde before the end, the end before letters, letters before signs.
func weight(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case s[i] >= 'A' && s[i] <= 'Z', s[i] >= 'a' && s[i] <= 'z':
		return int(s[i])
	}
	return 256 + int(s[i])
}

func numbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}
