package policy

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTheFormsAreWhatTheyWereAsExpressions(t *testing.T) {
	key, name := regexp.MustCompile(`^(HKLM|HKU)\\[^\x00]{1,400}$`), regexp.MustCompile(`^[\p{L}\p{N} ._:@{}()+-]{1,128}$`)
	same := func(f interface{ Errorf(string, ...any) }, s string) {
		if isRegistryKey(s) != key.MatchString(s) || isPlainName(s) != name.MatchString(s) {
			f.Errorf("%q is judged otherwise", s)
		}
	}
	for _, s := range []string{"", "HKLM", `HKLM\`, `HKU\S-1-5-18`, `HKLM\a` + "\x00", `hklm\a`, `HKLM\` + strings.Repeat("あ", 400), `HKLM\` + strings.Repeat("あ", 401), "HKLM\\a\nb",
		strings.Repeat("字", 128), strings.Repeat("字", 129), "a\xffb", `HKU\` + "\xff", "\ufffd", "Ⅷ½", "a_b", "a/b", "a\n", "{x}@(y):+-."} {
		same(t, s)
	}
	rapid.Check(t, func(r *rapid.T) { same(r, rapid.String().Draw(r, "s")) })
}
