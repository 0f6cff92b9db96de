package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// say runs one command line and gives exit code, stdout and stderr.
func say(t *testing.T, args ...string) (int, string, string) {
	var out, complaint bytes.Buffer
	code := dispatch(t.Context(), streams{&out, &complaint, func(string) string { return "" }}, args)
	return code, out.String(), complaint.String()
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, c := range commands() {
		code, out, complaint := say(t, c.name, "--help")
		if code != exitOK || !strings.Contains(out, "usage: sekisho-agent "+c.name) || complaint != "" {
			t.Errorf("%s: %d %q %q", c.name, code, out, complaint)
		}
		code, out, complaint = say(t, c.name, "--nonsense")
		if code != exitUsage || out != "" || !strings.Contains(complaint, "nonsense") {
			t.Errorf("%s: %d %q %q", c.name, code, out, complaint)
		}
		if code, _, complaint = say(t, c.name, "word"); code != exitUsage || !strings.Contains(complaint, `"word"`) {
			t.Errorf("%s: %d %q", c.name, code, complaint)
		}
	}
}

func TestAWrongCommandLineIsUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"fly"}, {""}} {
		if code, _, complaint := say(t, args...); code != exitUsage || !strings.Contains(complaint, "usage:") {
			t.Errorf("%q: %d %q", args, code, complaint)
		}
	}
	if code, out, _ := say(t, "--help"); code != exitOK || !strings.Contains(out, "doctor") {
		t.Errorf("%d %q", code, out)
	}
}

func TestAFailureSaysWhatToDo(t *testing.T) {
	code, _, complaint := say(t, "status", "--socket", filepath.Join(t.TempDir(), "none"))
	if code != exitFailed || !strings.Contains(complaint, "cannot reach the agent") || !strings.Contains(complaint, "hint:") {
		t.Errorf("%d %q", code, complaint)
	}
}

func TestAConfigurationIsReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"server: https://c:8444\nfingerprint: aa\ntoken: x\n": "",
		"":                               "",
		"sever: https://c\n":             "line 1: field sever not found",
		"state: \"/x\"\nserver: [1,2]\n": "line 2",
		"\x00":                           "cannot read configuration",
		"state: here\n":                  "absolute",
		"server: http://c\n":             "https://",
		"token: x\n":                     "needs a server",
		"server: https://c\ntoken: x\ntoken_file: /y\n": "not both",
		strings.Repeat("#", maxConfig+1):                "longer than",
	} {
		c, err := parseConfig("agent.yaml", []byte(text))
		if want == "" && (err != nil || c.State != defaultState) {
			t.Errorf("%.40q: %+v, %v", text, c, err)
		}
		if want != "" && (err == nil || !strings.HasPrefix(err.Error(), "cannot ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestAConfigurationThatIsWrittenCanBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sekisho", "agent.yaml")
	want := config{Server: "https://console:8444", Fingerprint: "aa:bb", Token: "K7", State: defaultState}
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readConfig(path)
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzConfig(f *testing.F) {
	for _, seed := range []string{"server: https://c\n", "a: &a [*a]", "token: x", "{", "state: /x\nstate: /y\n", "? - : -"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := parseConfig("x", raw); err == nil && !filepath.IsAbs(c.State) {
			t.Errorf("%q: %+v", raw, c)
		}
	})
}

func TestTheStatusIsATableForPeople(t *testing.T) {
	a := local.Answer{
		Status: &wire.Status{
			Mode: "enforce", Gate: "shut", Revision: 42, Agent: "1.0", OS: "Debian GNU/Linux 12", Kernel: "6.1", User: "taro", Unsent: 3,
			Faults: []string{"cannot write the journal:\nno space", "cannot do what is new"}, Codes: []string{wire.FaultJournal, "new"},
			Devices: []wire.Attached{{
				Device:   policy.Device{ID: "1-2", Kinds: []policy.Kind{policy.KindStorage}, Manufacturer: "SanDisk", Name: "Ultra", Serial: "4C53"},
				Decision: policy.Decision{Rule: "default-block-storage", RuleName: policy.Text{JA: "媒体の禁止", EN: "No media"}}, Outcome: policy.OutcomeBlocked,
			}, {
				Device: policy.Device{ID: "1-3", Kinds: []policy.Kind{policy.KindPortable}}, Outcome: policy.OutcomeAudit,
				Decision: policy.Decision{Rule: "default-block-portable", Mode: policy.ModeEnforce},
			}},
		},
		Link: local.Link{Server: "https://console:8444", Enrolled: true, Contact: time.Date(2026, 11, 23, 9, 0, 0, 0, time.Local)},
	}
	a.Status.Update = &wire.Update{Version: "1.2", State: wire.UpdateRolledBack, Code: wire.ReasonSilent, Reason: "the new version did not report"}
	for lang, wants := range map[string][]string{
		"ja": {"禁止を適用(ポリシー第42版)", "遮断(確認済)", "最終通信日時 2026-11-23 09:00:00", "異常", "4C53", "閉",
			"USBメモリ等", "媒体の禁止", "観察のみ", "記録をディスクに保存できません", "cannot write the journal: no space", "cannot do what is new", "更新", "1.2: 前の版に戻しました", "did not report"},
		"en": {"enforce (policy revision 42)", "blocked (verified)", "last contact 2026-11-23 09:00:00", "Fault", "SanDisk Ultra", "shut", "No media", "only observed", "portable device", "1.2: ROLLED BACK"},
	} {
		var out bytes.Buffer
		showStatus(&out, wordsOf(lang), a)
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not in\n%s", lang, want, out.String())
			}
		}
	}
}

func TestTheDoctorSpeaksTheLanguageOfWhoAsks(t *testing.T) {
	p := patient{root: t.TempDir(), now: time.Now(), words: wordsOf("ja"), answer: local.Answer{
		Status: &wire.Status{Agent: "1.0", Gate: "shut", Mode: "enforce", At: time.Now()},
		Link:   local.Link{Server: "https://c:8444", Contact: time.Now()},
	}}
	say := func() string {
		var out bytes.Buffer
		err := p.tell(streams{out: &out}, []finding{p.running(), p.gate(), p.console(), p.clock(), p.queue(), p.desktop()})
		return fmt.Sprint(out.String(), err)
	}
	for _, want := range []string{"適合", "不適合", "版 1.0。異常はありません", "「閉」であるべきです", "最終通信日時", "コンソールとの差は", "0件がコンソールを待っています", "6件のうち"} {
		if text := say(); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	p.answer.Status.Faults, p.answer.Status.Codes = []string{"cannot trust the clock"}, []string{wire.FaultClock}
	if text := say(); !strings.Contains(text, "異常: 端末の時計を信じられません") {
		t.Error(text)
	}
	if p.words = wordsOf("en"); !strings.Contains(say(), "cannot call this terminal healthy") || strings.ContainsAny(say(), "端末異常適合") {
		t.Error(say())
	}
}

func TestEveryFaultHasASentence(t *testing.T) {
	for _, code := range []string{wire.FaultClock, wire.FaultClockFile, wire.FaultSensor, wire.FaultPolicy, wire.FaultGate, wire.FaultEarlyGate,
		wire.FaultJournal, wire.FaultEnrolment, wire.FaultPrograms, wire.FaultRules, wire.FaultSoftware, wire.FaultCrowd} {
		if _, ok := wordsOf("ja").words["fault "+code]; !ok {
			t.Errorf("%s has none", code)
		}
	}
}

func TestOnlyAFolderOfOursIsPurged(t *testing.T) {
	if err := removeState("/home", "/nowhere/agent.yaml"); err == nil {
		t.Error("it would have removed /home")
	}
	dir := filepath.Join(t.TempDir(), "sekisho")
	if err := os.MkdirAll(filepath.Join(dir, "outbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := removeState(dir, filepath.Join(dir, "agent.yaml")); err != nil {
		t.Error(err)
	}
}

func TestTheSupervisorIsToldAndItsWatchdogIsHalved(t *testing.T) {
	env := map[string]string{"WATCHDOG_USEC": "240000000"}
	s := supervisor{func(k string) string { return env[k] }}
	if got := s.watchdog(); got != 2*time.Minute {
		t.Errorf("%s", got)
	}
	env["WATCHDOG_PID"] = "1"
	if got := s.watchdog(); got != 0 {
		t.Errorf("another process' watchdog is ours: %s", got)
	}
	s.say("READY=1") // nobody listens: nothing happens
}

func TestAPolicyIsBuiltInOnlyWhereNoneWasSaved(t *testing.T) {
	saved := policy.Builtin(policy.ModeWarn)
	if p, r := firstPolicy(saved, nil, "shut"); p != saved || r != nil {
		t.Errorf("%+v, %+v", p, r)
	}
	for state, want := range map[string]policy.Mode{
		"open": policy.ModeAudit, "none": policy.ModeAudit, "shut": policy.ModeEnforce, "failed: udev rules were changed": policy.ModeEnforce,
	} {
		if p, r := firstPolicy(nil, context.Canceled, state); p.RemovableMedia.Mode != want || r == nil || r.Code != "builtin_"+string(want) {
			t.Errorf("gate %s: %s, %+v", state, p.RemovableMedia.Mode, r)
		}
	}
}
