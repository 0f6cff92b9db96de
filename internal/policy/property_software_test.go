package policy

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	patterns = rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"a", "a*", "*b", "*"}), rapid.String()), 0, 2)
	programs = rapid.Custom(func(t *rapid.T) Program {
		return Program{
			Kind: rapid.SampledFrom(append([]ProgramKind{"", "spoon"}, programKinds...)).Draw(t, "kind"), Name: words.Draw(t, "name"),
			Publisher: words.Draw(t, "publisher"), Signer: words.Draw(t, "signer"), Version: words.Draw(t, "version"),
			Source: rapid.SampledFrom(append([]string{""}, sources...)).Draw(t, "source"), Essential: rapid.Bool().Draw(t, "essential"),
		}
	})
	programMatches = rapid.Custom(func(t *rapid.T) ProgramMatch {
		return ProgramMatch{Name: patterns.Draw(t, "name"), Publisher: patterns.Draw(t, "publisher"), Signer: patterns.Draw(t, "signer"),
			MinVersion: words.Draw(t, "from version"), MaxVersion: words.Draw(t, "up to version")}
	})
	softwarePolicies = rapid.Custom(func(t *rapid.T) *Policy {
		p := &Policy{Revision: rapid.Int64().Draw(t, "revision"), Group: words.Draw(t, "group")}
		if rapid.IntRange(0, 10).Draw(t, "none") == 0 {
			return p
		}
		p.Software = &Software{
			Mode:      rapid.SampledFrom([]Mode{ModeLearn, ModeAudit, ModeWarn, ModeEnforce, "", "spoon"}).Draw(t, "mode"),
			Undecided: rapid.SampledFrom([]Action{ActionAllow, ActionBlock, ActionReport, "", "spoon"}).Draw(t, "undecided"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			p.Software.Rules = append(p.Software.Rules, ProgramRule{ID: "r", Action: rapid.SampledFrom([]Action{ActionAllow, ActionBlock, ActionReport, ""}).Draw(t, "action"),
				Match: programMatches.Draw(t, "match")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "permits") {
			p.Software.Permits = append(p.Software.Permits, Permit{ID: "s", Match: programMatches.Draw(t, "permitted"),
				From: moments.Draw(t, "from"), Until: rapid.OneOf(moments, rapid.Just(time.Time{})).Draw(t, "until")})
		}
		return p
	})
)

func TestAProgramAlwaysGetsTheSameAnswerWithAReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, prog, now := softwarePolicies.Draw(t, "policy"), programs.Draw(t, "program"), moments.Draw(t, "now")
		d := DecideProgram(p, prog, now)
		if again := DecideProgram(p, prog, now); !reflect.DeepEqual(d, again) {
			t.Fatalf("first %+v, then %+v", d, again)
		}
		if d.Rule == "" || d.Mode == "" || d.Revision != p.Revision || (d.Action != ActionAllow && d.Action != ActionBlock && d.Action != ActionReport) {
			t.Fatalf("%+v", d)
		}
		if prog.Essential && d.Action != ActionAllow {
			t.Fatalf("the terminal would not start: %+v", d)
		}
		if d.Mode == ModeLearn && (d.Violation() || d.Tell() || d.Do() == ActionBlock) {
			t.Fatalf("who learns judges: %+v", d)
		}
	})
}

func TestAPermissionIsNamedOnlyInsideItsWindow(t *testing.T) {
	met := 0
	rapid.Check(t, func(t *rapid.T) {
		p, prog, now := softwarePolicies.Draw(t, "policy"), programs.Draw(t, "program"), moments.Draw(t, "now")
		if p.Software != nil && len(p.Software.Permits) > 0 && rapid.Bool().Draw(t, "aimed") {
			permit := &p.Software.Permits[0]
			permit.Match, permit.Until = ProgramMatch{Name: []string{"a*"}}, permit.From.Add(12*time.Hour)
			prog.Name, prog.Essential = "ab", false
		}
		if d := DecideProgram(p, prog, now); d.Grant != "" {
			met++
			if !now.Before(d.Until) || d.Action != ActionAllow {
				t.Fatalf("at %s: %+v", now, d)
			}
		}
	})
	if met == 0 {
		t.Error("no permission ever held: this proves nothing")
	}
}

func TestUntilTheNextChangeAProgramGetsTheSameAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, prog, now := softwarePolicies.Draw(t, "policy"), programs.Draw(t, "program"), moments.Draw(t, "now")
		next, later := NextChange(p, now), moments.Draw(t, "later")
		if later.Before(now) || (!next.IsZero() && !later.Before(next)) {
			return
		}
		if first, second := DecideProgram(p, prog, now), DecideProgram(p, prog, later); !reflect.DeepEqual(first, second) {
			t.Fatalf("%s: %+v\n%s: %+v", now, first, later, second)
		}
	})
}

// TestAPatternMeansWhatItLooksLike compares with the regular expression that says the same.
func TestAPatternMeansWhatItLooksLike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern, word := rapid.StringMatching(`[ab*]{0,6}`).Draw(t, "pattern"), rapid.StringMatching(`[ab]{0,8}`).Draw(t, "word")
		meant := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(word)
		if like(pattern, word) != meant {
			t.Fatalf("%q on %q: not %v", pattern, word, meant)
		}
	})
}

// What is seen at a glance is never otherwise than what is compared sign by sign.
func TestAWordThatSurelyDiffersFitsNoPattern(t *testing.T) {
	signs := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB*kKK1-İſ\xff関")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern, word := signs.Draw(t, "pattern"), strings.ToLower(signs.Draw(t, "word"))
		if misses(pattern, word) && like(strings.ToLower(pattern), word) {
			t.Fatalf("%q fits %q, and it was said that it does not", word, pattern)
		}
	})
	for _, pattern := range []string{"Libc6", "lib", "libc6-dev", "m*"} {
		if misses(pattern, "libc6") != (pattern != "Libc6") {
			t.Errorf("%q is not told from libc6 as it should be", pattern)
		}
	}
}

func BenchmarkDecideProgramByLearntNames(b *testing.B) {
	names := make([]string, 400)
	for i := range names {
		names[i] = "lib" + strings.Repeat("x", i%7) + "name-of-a-package"
	}
	p := &Policy{Software: &Software{Mode: ModeEnforce, Rules: []ProgramRule{{ID: "learnt", Action: ActionAllow, Match: ProgramMatch{Name: names}}}}}
	for b.Loop() {
		DecideProgram(p, Program{Kind: ProgramDeb, Name: "zlib1g"}, time.Time{})
		DecideProgram(p, Program{Kind: ProgramDeb, Name: "libzstd1"}, time.Time{})
	}
}
