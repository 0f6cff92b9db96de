package version

import (
	"testing"

	"pgregory.net/rapid"
)

func TestVersionsSortAsDpkgSortsThem(t *testing.T) {
	for _, c := range []struct{ older, newer string }{
		{"1.0~rc1", "1.0"}, {"1.0", "1.0a"}, {"1.0a", "1.0+1"}, {"1.2", "1.10"}, {"9", "1:1"}, {"1:9", "2:0"},
		{"1.0-1", "1.0-2"}, {"1.0-1", "1.0-1+deb12u1"}, {"1.0", "1.0-1"}, {"1.0-9", "1.1-1"}, {"1.0-1~bpo", "1.0-1"},
		{"2:7.4.052-1", "2:8.1.0875-5"}, {"96.0.1054.43", "131.0.2903.70"}, {"", "0a"}, {"1.0.0", "1.0.0.1"},
	} {
		if Compare(c.older, c.newer) >= 0 || Compare(c.newer, c.older) <= 0 {
			t.Errorf("%q must be older than %q", c.older, c.newer)
		}
	}
	for _, c := range []struct{ a, b string }{{"1.0", "1.00"}, {"0:1", "1"}, {"1.0-0", "1.0"}, {"", ""}} {
		if Compare(c.a, c.b) != 0 {
			t.Errorf("%q and %q are the same", c.a, c.b)
		}
	}
}

func TestTheOrderIsAnOrderForWhateverText(t *testing.T) {
	any := rapid.OneOf(rapid.StringMatching(`[0-9a-z.~+:-]{0,8}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := any.Draw(t, "a"), any.Draw(t, "b"), any.Draw(t, "c")
		if Compare(a, b) != -Compare(b, a) && sign(Compare(a, b)) != -sign(Compare(b, a)) {
			t.Fatalf("%q %q: not the same both ways", a, b)
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Fatalf("%q <= %q <= %q but not %q <= %q", a, b, c, a, c)
		}
	})
}

func sign(n int) int { return min(max(n, -1), 1) }
