package winstate_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

// rowsOf reads the tables below a heading of docs/checks.md: each row's columns, without the head.
func rowsOf(t *testing.T, heading string) (rows [][]string, text string) {
	t.Helper()
	all, err := os.ReadFile("../../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(all), "\n### "+heading+"\n")
	if !found {
		t.Fatalf("docs/checks.md has no part %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n### ")
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "| ") && strings.HasSuffix(l, " |") {
			rows = append(rows, strings.Split(strings.Trim(l, "| "), " | "))
		}
	}
	return rows, text
}

// quoted is what stands between the first backquotes.
func quoted(s string) string {
	_, rest, _ := strings.Cut(s, "`")
	word, _, _ := strings.Cut(rest, "`")
	return word
}

func TestTheTableOfProductsSaysWhatIsTried(t *testing.T) {
	rows, text := rowsOf(t, "Antivirus")
	told := map[string][]string{}
	for _, r := range rows[1:] {
		if len(r) != 5 || r[4] == "" {
			t.Errorf("a row has %d columns: %s", len(r), r[0])
			continue
		}
		told[quoted(r[0])] = r
	}
	tried := map[string]bool{}
	for _, p := range products() {
		tried[p.id] = true
		if r := told[p.id]; r == nil || r[2] != p.trial() || r[3] != p.states() {
			t.Errorf("%s is tried %q in %q, docs/checks.md says %q", p.id, p.trial(), p.states(), r)
		}
	}
	for _, p := range policy.DefaultProbes() {
		if p.OS == "windows" && !tried[p.ID] {
			t.Errorf("nobody tries %s", p.ID)
		}
	}
	if len(told) != len(tried) {
		t.Errorf("docs/checks.md has %d products, %d are tried", len(told), len(tried))
	}
	for _, name := range stateNames() {
		if !strings.Contains(strings.ReplaceAll(text, "\n", " "), name) {
			t.Errorf("docs/checks.md does not name the state %q", name)
		}
	}
}

func stateNames() (out []string) {
	for _, s := range workStates() {
		out = append(out, strings.TrimPrefix(s.name, "Security Center "))
	}
	for _, s := range dateStates() {
		out = append(out, s.name)
	}
	return out
}

func TestTheTableOfBuildsSaysWhatIsTried(t *testing.T) {
	rows, _ := rowsOf(t, "Patches")
	words := map[string]string{"pass": "適合", "fail ended": "不適合", "unknown no_reference": "確認不可"}
	var told, tried []string
	for _, r := range rows {
		if len(r) == 5 && r[0] != "build" {
			told = append(told, fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[4]))
		}
	}
	for _, l := range lines() {
		tried = append(tried, fmt.Sprint(l.build, " ", l.install, " ", l.edition, " ", words[l.support]))
	}
	if !slices.Equal(told, tried) {
		t.Errorf("docs/checks.md has %q, tried is %q", told, tried)
	}
}

func TestTheTableOfSettingsSaysWhatIsTried(t *testing.T) {
	rows, _ := rowsOf(t, "Settings and network")
	told := map[string]string{}
	for _, r := range rows[1:] {
		if len(r) != 5 || r[4] == "" {
			t.Errorf("a row has %d columns: %s", len(r), r[0])
			continue
		}
		told[quoted(r[0])] = r[2]
	}
	tried := map[string]string{}
	for _, s := range settingsTried() {
		tried[s.check] = s.how
	}
	for _, c := range policy.Catalogue() {
		switch how, ok := told[c.ID]; {
		case c.Area == policy.AreaAntivirus || c.Area == policy.AreaPatch:
		case !ok || how != tried[c.ID]:
			t.Errorf("%s is tried %q, docs/checks.md says %q", c.ID, tried[c.ID], how)
		}
	}
}

// TestTheScriptHasTheLinesThatTheDocsNameForIt: what is unproven names the line that proves it.
func TestTheScriptHasTheLinesThatTheDocsNameForIt(t *testing.T) {
	script, err := os.ReadFile("../../../scripts/prove-windows.ps1")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("`((?:health|applocker)-[a-z]+)`")
	named := 0
	for _, doc := range []string{"checks.md", "limits.md"} {
		text, err := os.ReadFile("../../../docs/" + doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			if named++; !strings.Contains(string(script), "'"+m[1]+"'") {
				t.Errorf("docs/%s names the line %s, which the script does not have", doc, m[1])
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d lines are named", named)
	}
}
