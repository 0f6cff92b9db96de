package bundle

import (
	"cmp"
	"regexp"

	"sekisho/internal/version"
)

// versionForm is what scripts/package calls a version: 1.2.3, 1.2.3~rc1, 1.2.3+5.gabc.
var versionForm = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]{0,63}$`)

// IsVersion says whether s can be a release's version.
func IsVersion(s string) bool { return versionForm.MatchString(s) }

// Compare sorts releases as dpkg does, so that a bundle and a package of the same version mean the same: negative when a
// is older. What is no version, such as a developer's build, is older than all that are.
func Compare(a, b string) int {
	if !IsVersion(a) || !IsVersion(b) {
		return cmp.Compare(boolean(IsVersion(a)), boolean(IsVersion(b)))
	}
	return version.Compare(a, b)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
