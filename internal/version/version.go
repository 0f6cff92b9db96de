// Package version sorts version numbers. It never says whether a version is good: that is the policy's.
package version

import (
	"cmp"
	"strings"
)

// Compare sorts as dpkg does (https://www.debian.org/doc/debian-policy/ch-controlfields.html#version): negative when a is
// older. It is total: dotted numbers of Windows, epochs, tildes and free text have an order too.
func Compare(a, b string) int {
	ea, a := epoch(a)
	eb, b := epoch(b)
	if c := numbers(ea, eb); c != 0 {
		return c
	}
	ua, ra := revision(a)
	ub, rb := revision(b)
	return cmp.Or(parts(ua, ub), parts(ra, rb))
}

// epoch cuts "1:" off; what stands before a colon and is no number belongs to the version.
func epoch(s string) (number, rest string) {
	head, tail, ok := strings.Cut(s, ":")
	if !ok || head == "" || strings.Trim(head, "0123456789") != "" {
		return "", s
	}
	return head, tail
}

// revision cuts the packaging's number off the last hyphen. Without one it is "0", as Debian's policy says.
func revision(s string) (upstream, packaging string) {
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

func parts(a, b string) int {
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
