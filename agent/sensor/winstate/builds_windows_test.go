package winstate_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sekisho/agent/sensor/winstate"
	"sekisho/internal/policy"
)

// has makes this Windows that build, without the update of the month.
func (p *pc) has(l line, revision uint32) {
	p.put(in(versionKey, "CurrentBuildNumber").is(words(fmt.Sprint(l.build))), in(versionKey, ubr).is(number(revision)),
		in(versionKey, "InstallationType").is(words(l.install)), in(versionKey, "EditionID").is(words(l.edition)))
}

func (p *pc) patches(baseline []byte) (map[string]string, map[string]policy.CheckResult) {
	words, full, _ := p.look(policy.AreaPatch, winstate.Options{Ask: p.ask, Baseline: func() []byte { return baseline }})
	return words, full
}

// TestEveryBuildInEveryStateIsJudgedOnThisWindows plays the lines of docs/checks.md from the real registry.
func TestEveryBuildInEveryStateIsJudgedOnThisWindows(t *testing.T) {
	p := newPC(t, "client")
	november, err := os.ReadFile("../../../internal/policy/testdata/2026-11.baseline")
	p.must(err)
	for _, l := range lines() {
		for _, s := range buildStates() {
			p.has(l, l.revision)
			p.put(s.set(l))
			words, full := p.patches(november)
			named := strings.Contains(full["patch.level"].Value, l.kb)
			if words["patch.level"] != s.level || named != s.names || words["patch.baseline_age"] != "pass" {
				t.Errorf("%d %s %s, %s: %q %q, should be %q", l.build, l.install, l.edition, s.name, words["patch.level"], full["patch.level"].Value, s.level)
			}
			if want := l.support; s.names || s.level == "pass" {
				if words["patch.support"] != want {
					t.Errorf("%d %s %s, %s: support is %q, should be %q", l.build, l.install, l.edition, s.name, words["patch.support"], want)
				}
			} else if words["patch.support"] == "pass" {
				t.Errorf("%d %s, %s: support is %q", l.build, l.install, s.name, words["patch.support"])
			}
			p.back()
		}
	}
}

// TestServerAndClientOfOneBuildAreNotHeldAgainstEachOther: 26100 is both, with revisions of its own.
func TestServerAndClientOfOneBuildAreNotHeldAgainstEachOther(t *testing.T) {
	p := newPC(t, "client")
	november, err := os.ReadFile("../../../internal/policy/testdata/2026-11.baseline")
	p.must(err)
	for _, c := range []struct {
		line
		has  uint32
		want string
	}{
		{line{build: 26100, install: "Server", edition: "ServerStandard"}, 8973, "fail behind"},  // enough for a client
		{line{build: 26100, install: "Server", edition: "ServerStandard"}, 32999, "fail behind"}, // a hotpatch of October
		{line{build: 26100, install: "Client", edition: "Enterprise"}, 8990, "pass"},             // a preview
		{line{build: 20348, install: "Client", edition: "Professional"}, 5386, "unknown no_reference"},
		{line{build: 22631, install: "Server", edition: "ServerStandard"}, 7376, "unknown no_reference"},
	} {
		p.has(c.line, c.has)
		if words, full := p.patches(november); words["patch.level"] != c.want {
			t.Errorf("%d.%d %s: %q %q, should be %q", c.build, c.has, c.install, words["patch.level"], full["patch.level"].Value, c.want)
		}
		p.back()
	}
	for name, baseline := range map[string][]byte{"none": nil, "broken": []byte("<html>"), "of another month": []byte(strings.Replace(string(november), "month 2026-11", "month 2026-12", 1)),
		"too long": make([]byte, 50<<20)} {
		if words, _ := p.patches(baseline); words["patch.level"] != "unknown no_reference" || words["patch.baseline_age"] != "unknown no_reference" {
			t.Errorf("baseline %s: %q", name, words)
		}
	}
}
