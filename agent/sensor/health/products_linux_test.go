package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

func clamHeader(at time.Time, version int) string {
	return fmt.Sprintf("%-512s", fmt.Sprintf("ClamAV-VDB:%s:%d:2075:90:X:X:builder:%d", at.Format("02 Jan 2006 15-04 -0700"), version, at.Unix())) + "archive"
}

func guarded(t *testing.T) machine {
	return newMachine(t).write("usr/sbin/clamd", "").link("proc/10/exe", "/usr/sbin/clamd").link("proc/11/exe", "/usr/sbin/clamonacc").
		write("var/lib/clamav/daily.cvd", clamHeader(noon.AddDate(0, 0, -9), 27800)).write("var/lib/clamav/daily.cld", clamHeader(noon.AddDate(0, 0, -1), 27832))
}

func facts(t *testing.T, e *Eyes, product string) map[string]string {
	out := map[string]string{}
	for _, r := range e.Look(t.Context(), policy.AreaAntivirus, policy.DefaultProbes()) {
		if r.Product() == product {
			out[r.Fact()] = says(r)
		}
	}
	return out
}

func TestClamAVIsReadFromItsFilesAndProcesses(t *testing.T) {
	got := facts(t, guarded(t).eyes(), "clamav")
	for fact, want := range map[string]string{
		policy.FactInstalled: "true", policy.FactRunning: "true", policy.FactRealtime: "true", policy.FactPatternDate: noon.AddDate(0, 0, -1).Format(time.RFC3339),
	} {
		if got[fact] != want {
			t.Errorf("%s: %q", fact, got[fact])
		}
	}
}

func TestBadClamAVDatabases(t *testing.T) {
	for what, c := range map[string]struct{ text, want string }{
		"cut short":            {clamHeader(noon, 1)[:300], "?wrong_type"},
		"empty":                {"", "?wrong_type"},
		"something else":       {strings.Repeat("x", 600), "?wrong_type"},
		"no stamp, but a date": {fmt.Sprintf("%-512s", "ClamAV-VDB:26 Nov 2026 09-25 +0900:1:2:3:X:X:b"), "2026-11-26T00:25:00Z"},
		"before its time":      {fmt.Sprintf("%-512s", "ClamAV-VDB:x:1:2:3:X:X:b:12"), "?implausible"},
	} {
		m := guarded(t).remove("var/lib/clamav/daily.cvd").write("var/lib/clamav/daily.cld", c.text)
		if got := facts(t, m.eyes(), "clamav")[policy.FactPatternDate]; got != c.want {
			t.Errorf("%s: %q, not %q", what, got, c.want)
		}
	}
}

func TestAProductThatWasUninstalledIsAskedNothing(t *testing.T) {
	m := guarded(t).remove("usr/sbin/clamd")
	if got := facts(t, m.eyes(), "clamav"); len(got) != 1 || got[policy.FactInstalled] != "false" {
		t.Errorf("%v", got)
	}
}

// answers makes commands answer.
func answers(m machine, say func(command string) ([]byte, error)) *Eyes {
	e := m.eyes()
	e.Run = func(_ context.Context, command string) ([]byte, error) { return say(command) }
	return e
}

func TestDefenderIsAskedOnceAndItsAgeIsComputedFromItsDate(t *testing.T) {
	m := guarded(t).write("opt/microsoft/mdatp/sbin/wdavdaemon", "").link("proc/12/exe", "/opt/microsoft/mdatp/sbin/wdavdaemon")
	asked := 0
	e := answers(m, func(string) ([]byte, error) {
		asked++
		return []byte(`{"appVersion":"101.24","definitionsUpdated":"1795651200000","definitionsUpdatedMinutesAgo":27712166,"definitionsVersion":"1.405.1","passiveModeEnabled":false,"productExpiration":"1830000000000","realTimeProtectionEnabled":{"managed":false,"value":true}}`), nil
	})
	got := facts(t, e, "mdatp")
	if got[policy.FactPatternDate] != "2026-11-26T00:00:00Z" || got[policy.FactRealtime] != "true" || got[policy.FactReduced] != "false" || asked != 1 {
		t.Errorf("%v, asked %d times", got, asked)
	}
}

func TestACommandThatHangsFailsOrSaysNothingIsUnread(t *testing.T) {
	m := newMachine(t).write("opt/eset/eea/bin/upd", "").link("proc/1/exe", "/sbin/init")
	for want, err := range map[string]error{"?timeout": context.DeadlineExceeded, "?failed": errors.New("exit status 1"), "?missing": osexec.ErrMissing} {
		e := answers(m, func(string) ([]byte, error) { return nil, err })
		if got := facts(t, e, "eset-endpoint")[policy.FactPatternDate]; got != want {
			t.Errorf("%v: %q", err, got)
		}
	}
	for text, want := range map[string]string{"": "?missing", "EM002 1 (20261332) x": "?wrong_type", "EM002 28471 (20261126) 検出エンジン": "2026-11-26T00:00:00Z"} {
		e := answers(m, func(string) ([]byte, error) { return []byte(text), nil })
		if got := facts(t, e, "eset-endpoint")[policy.FactPatternDate]; got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestOnlyFixedCommandsAreRun(t *testing.T) {
	if _, err := runFixed(t.Context(), "rm"); !errors.Is(err, osexec.ErrMissing) {
		t.Error(err)
	}
	for name := range fixed {
		known := false
		for _, c := range policy.Commands() {
			known = known || c == name
		}
		if !known {
			t.Errorf("%s: no policy may ask for it", name)
		}
	}
}

func TestAServiceIsKnownByItsControlGroup(t *testing.T) {
	m := newMachine(t)
	if raw := m.eyes().unit("eea"); raw.Code != policy.CodeNoSource {
		t.Errorf("%+v", raw)
	}
	m.write("sys/fs/cgroup/cgroup.controllers", "")
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "absent"}, {func() { m.write("usr/lib/systemd/system/eea.service", "") }, "stopped"},
		{func() { m.write("sys/fs/cgroup/system.slice/eea.service/cgroup.events", "populated 1\nfrozen 0\n") }, "running"},
		{func() { m.write("sys/fs/cgroup/system.slice/eea.service/cgroup.events", "populated 0\nfrozen 0\n") }, "stopped"},
	} {
		if step.do(); m.eyes().unit("eea").Text != step.want {
			t.Errorf("%+v, not %s", m.eyes().unit("eea"), step.want)
		}
	}
}

func TestAPatternOfManyFilesIsBounded(t *testing.T) {
	m := newMachine(t)
	for i := range 30 {
		m.write(fmt.Sprintf("opt/x/v%d", i), "1")
	}
	f := &fetcher{eyes: m.eyes(), ctx: t.Context()}
	if got := f.fetch(policy.Place{Kind: policy.PlaceFile, Path: "/opt/x/v*", Match: "(1)"}); len(got) != 1 || got[0].Code != policy.CodeTooLong {
		t.Errorf("%+v", got)
	}
	if got := f.fetch(policy.Place{Kind: "moon"}); got[0].Code != policy.CodeNoSource {
		t.Errorf("%+v", got)
	}
}

func TestAProductThatNoReleaseKnowsIsAddedAsData(t *testing.T) {
	probe := policy.Probe{ID: "lan-guard", Product: "庁内ウイルス対策", OS: "linux",
		Detect: []policy.Place{{Kind: policy.PlaceExists, Path: "/opt/lanav/bin/guard"}},
		Facts: []policy.ProbeFact{
			{Fact: policy.FactRunning, Place: []policy.Place{{Kind: policy.PlaceProcess, Value: "guard"}}, Form: policy.Form{Type: policy.TypeBool}},
			{Fact: policy.FactRealtime, Place: []policy.Place{{Kind: policy.PlaceFile, Path: "/etc/lanav.conf", Match: `常駐監視=(\S+)`}}, Form: policy.Form{Type: policy.TypeBool, True: []string{"有効"}, False: []string{"無効"}}},
			{Fact: policy.FactPatternDate, Place: []policy.Place{{Kind: policy.PlaceFile, Path: "/opt/lanav/*/version.txt", Match: `パターン: (\S+)`}}, Form: policy.Form{Type: policy.TypeTime, Date: policy.DateReiwa, Zone: "+09:00"}},
		}}
	if problems := probe.Validate(); len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	m := newMachine(t).write("opt/lanav/bin/guard", "").link("proc/7/exe", "/opt/lanav/bin/guard").write("etc/lanav.conf", "常駐監視=有効\n").
		write("opt/lanav/a/version.txt", "パターン: 令和8年11月20日\n").write("opt/lanav/b/version.txt", "パターン: 令和8年11月25日\n")
	p := policy.Builtin(policy.ModeAudit)
	p.Health = policy.DefaultHealth()
	p.Health.Probes = append(p.Health.Probes, probe)
	judged := func(check string) policy.CheckResult {
		s := &policy.Survey{OS: "linux", Up: 24 * time.Hour, Readings: m.eyes().Look(t.Context(), policy.AreaAntivirus, p.Health.Probes)}
		for _, r := range policy.Judge(p, s, nil, noon) {
			if r.Check == check {
				return r
			}
		}
		return policy.CheckResult{}
	}
	for _, check := range []string{"antivirus.present", "antivirus.realtime", "antivirus.patterns", "antivirus.source"} {
		if r := judged(check); r.Result != policy.ResultPass || r.Product != "庁内ウイルス対策" {
			t.Errorf("%+v", r)
		}
	}
	m.write("etc/lanav.conf", "常駐監視=無効\n")
	if r := judged("antivirus.realtime"); r.Result != policy.ResultFail || r.Value != "無効" {
		t.Errorf("%+v", r)
	}
	m.write("etc/lanav.conf", "常駐監視=?\n")
	if r := judged("antivirus.realtime"); r.Result != policy.ResultUnknown || r.Code != policy.CodeWrongType {
		t.Errorf("%+v", r)
	}
}
