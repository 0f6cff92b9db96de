package policy

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func november(t testing.TB) []byte {
	text, err := os.ReadFile("testdata/2026-11.baseline")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEveryBuildIsHeldAgainstItsOwnLine(t *testing.T) {
	b, err := ParseBaseline(november(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		build, revision uint32
		install         string
		name            string
		missing         int // -1: the table says nothing
	}{
		{14393, 9339, "Server", "Windows Server 2016", 0}, {14393, 9338, "Server Core", "Windows Server 2016", 1}, {14393, 9339, "Client", "Windows 10 1607", 0},
		{17763, 9020, "Server", "Windows Server 2019", 0}, {17763, 1, "Client", "Windows 10 1809", 1},
		{19044, 7548, "Client", "Windows 10 21H2", 0}, {19045, 7547, "Client", "Windows 10 22H2", 1},
		{20348, 5386, "Server Core", "Windows Server 2022", 0}, {20348, 5385, "Server", "Windows Server 2022", 1},
		{22631, 7376, "Client", "Windows 11 23H2", 0}, {22631, 7000, "Client", "Windows 11 23H2", 1},
		{25398, 2330, "Server Core", "Windows Server 23H2", 0}, {25398, 2329, "Server Core", "Windows Server 23H2", 1}, {25398, 2330, "Server", "Windows Server 23H2", -1},
		{26100, 8973, "Client", "Windows 11 24H2", 0}, {26100, 8655, "Client", "Windows 11 24H2", 3}, {26100, 8990, "Client", "Windows 11 24H2", 0},
		{26100, 9999, "Client", "Windows 11 24H2", 0}, {26200, 8875, "Client", "Windows 11 25H2", 2}, {26200, 8894, "Client", "Windows 11 25H2", 1},
		{26100, 33158, "Server", "Windows Server 2025", 0}, {26100, 8973, "Server", "Windows Server 2025", 4}, {26100, 32690, "Server Core", "Windows Server 2025", 3},
		{26100, 32860, "Server", "Windows Server 2025", 2}, {26100, 32995, "Server", "Windows Server 2025", 1}, {26100, 32999, "Server", "Windows Server 2025", 1},
		{28000, 2608, "Client", "Windows 11 26H1", 0}, {28000, 2607, "Client", "Windows 11 26H1", 1},
		{27000, 1, "Client", "Windows 11", -1}, {20348, 1, "Client", "Windows 10", -1}, {26100, 8973, "", "Windows Server 2025", -1}, {26100, 8973, "*", "Windows Server 2025", -1},
	} {
		w := WindowsVersion{Build: c.build, Revision: c.revision, Installation: c.install, Edition: "Professional"}
		got, err := b.Missing(w)
		if (err != nil) != (c.missing < 0) || err == nil && len(got) != c.missing || w.Name() != c.name {
			t.Errorf("%s %s: %q missing %v, %v", w, c.install, w.Name(), got, err)
		}
	}
	if _, err := b.Missing(WindowsVersion{Build: 26100, Revision: 1}); !errors.Is(err, ErrNoInstallation) {
		t.Error(err)
	}
}

func TestWhatIsMissingIsNamedWithItsDay(t *testing.T) {
	b, _ := ParseBaseline(november(t))
	got, _ := b.Missing(WindowsVersion{Build: 26200, Revision: 8894, Installation: "Client"})
	if len(got) != 1 || got[0].Word != "KB5101684 26200.8973" || got[0].At.Format("2006-01-02") != "2026-11-10" {
		t.Errorf("%+v", got)
	}
}

func TestALineForAnEditionGoesBeforeTheOneForAll(t *testing.T) {
	text := string(november(t)) + "19045 client 9000 2026-11-10 security KB5200000 EnterpriseS*,IoT*\n"
	b, err := ParseBaseline([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w := WindowsVersion{Build: 19045, Revision: 7548, Installation: "Client", Edition: "EnterpriseSN"}
	if got, _ := b.Missing(w); len(got) != 1 {
		t.Errorf("%v", got)
	}
	w.Edition = "Professional"
	if got, _ := b.Missing(w); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestABrokenBaselineIsRefusedWholeAndSaysWhere(t *testing.T) {
	good := string(november(t))
	for name, c := range map[string]struct{ text, says string }{
		"empty":               {"", "month"},
		"another file":        {"<html>not found</html>", "line 1"},
		"a later version":     {strings.Replace(good, "baseline 1", "baseline 2", 1), "line 1"},
		"another month":       {strings.Replace(good, "month 2026-11", "month 2026-10", 1), "2026-10"},
		"no month":            {strings.Replace(good, "month 2026-11", "", 1), "month"},
		"no day":              {strings.Replace(good, "made  2026-11-12", "", 1), "made"},
		"made before it was":  {strings.Replace(good, "made  2026-11-12", "made 2026-11-09", 1), "came out after"},
		"local order":         {strings.Replace(good, "2026/11/10", "10/11/2026", 1), "no day"},
		"a 31st of November":  {strings.Replace(good, "2026/11/10", "2026/11/31", 1), "no day"},
		"Heisei":              {strings.Replace(good, "R8.11.10", "H38.11.10", 1), "no day"},
		"cut in the middle":   {good[:len(good)-20], "columns"},
		"a negative revision": {strings.Replace(good, "8973", "-1", 1), "no build"},
		"a huge revision":     {strings.Replace(good, "8973", "99999999999999999999", 1), "no build"},
		"an unknown type":     {strings.Replace(good, "client", "kiosk", 1), "installation"},
		"an unknown kind":     {strings.Replace(good, "security", "maybe", 1), "kind"},
		"no KB":               {strings.Replace(good, "KB5099535", "5099535", 1), "KB"},
		"a line twice":        {good + "28000 client 2608 2026-11-10 security KB5101681\n", "twice"},
		"only a head":         {"sekisho-baseline 1\nmonth 2026-11\nmade 2026-11-12\n", "no line"},
		"a line without end":  {good + strings.Repeat("x", 70000), "line 30"},
		"fifty megabytes":     {strings.Repeat("28000 client 2608 2026-11-10 security KB5101681\n", 1<<20), "bytes"},
	} {
		if _, err := ParseBaseline([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABaselineOfWindowsEditorsIsRead(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(string(november(t)), "\n", "\r\n")
	if b, err := ParseBaseline([]byte(text)); err != nil || b.Month != "2026-11" || b.From != "Windows release information" {
		t.Errorf("%+v %v", b, err)
	}
}

func TestTheConsolesFormOfABaselineIsTheSameTable(t *testing.T) {
	const good = `{"kind":"baseline","name":"Windows","month":"2026-11","made_at":"2026-11-12T00:00:00Z","builds":[
		{"build":26200,"installation":"client","revision":8973,"released":"2026-11-10","kind":"security","kb":"KB5101684"},
		{"build":26100,"installation":"Server Core","revision":33158,"released":"R8.11.10","kind":"security","kb":"KB5099536","editions":["ServerStandard*"]}]}`
	b, err := ParseBaseline([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Missing(WindowsVersion{Build: 26200, Revision: 8894, Installation: "Client"}); err != nil || len(got) != 1 || b.From != "Windows" {
		t.Errorf("%v %v", got, err)
	}
	if got, err := b.Missing(WindowsVersion{Build: 26100, Revision: 1, Installation: "Server Core", Edition: "ServerStandardCor"}); err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
	for name, c := range map[string]struct{ from, to, says string }{
		"cut short":        {good[100:], "", "JSON"},
		"another kind":     {`"kind":"baseline"`, `"kind":"support"`, "kind"},
		"another month":    {`"2026-11"`, `"2026-10"`, "2026-10"},
		"no day":           {`2026-11-12T00:00:00Z`, `令和8年11月12日`, "parsing time"},
		"no builds":        {good[strings.Index(good, "[")+1 : len(good)-2], "", "no line"},
		"a broken build":   {`"revision":8973`, `"revision":0`, "builds[0]"},
		"a KB as a number": {`"kb":"KB5101684"`, `"kb":5101684`, "cannot unmarshal"},
	} {
		if _, err := ParseBaseline([]byte(strings.Replace(good, c.from, c.to, 1))); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTooManyLinesAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("sekisho-baseline 1\nmonth 2026-11\nmade 2026-11-12\n")
	for i := range maxBaselineLines {
		fmt.Fprintf(&b, "28000 client %d 2026-11-10 security KB5101681\n", i+1)
	}
	if _, err := ParseBaseline([]byte(b.String())); err != nil {
		t.Error(err)
	}
	b.WriteString("28000 server 1 2026-11-10 security KB5101681\n")
	if _, err := ParseBaseline([]byte(b.String())); err == nil {
		t.Error("one more was taken")
	}
}

func FuzzBaseline(f *testing.F) {
	f.Add(november(f))
	f.Add([]byte(`{"kind":"baseline","month":"2026-11","made_at":"2026-11-12T00:00:00Z","builds":[{"build":26200}]}`))
	f.Add([]byte("sekisho-baseline 1\nmonth 2026-11\nmade R8.11.12\n1 2 3 4 5 6\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ParseBaseline(text)
		if err != nil {
			return
		}
		for _, u := range b.rows {
			if got, err := b.Missing(WindowsVersion{Build: u.build, Revision: u.revision, Installation: u.install}); err == nil && len(got) > len(b.rows) {
				t.Errorf("%d of %d are missing", len(got), len(b.rows))
			}
		}
	})
}
