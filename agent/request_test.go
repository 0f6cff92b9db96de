package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// answering is an agent that knows some cases.
func answering(t *testing.T, cases ...local.Case) string {
	path := filepath.Join(t.TempDir(), "s")
	l, err := local.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		local.Serve(ctx, l, func(local.Request) local.Answer { return local.Answer{Cases: cases} }, zerolog.Nop())
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return path
}

func aCase(gone bool) local.Case {
	return local.Case{Since: time.Date(2026, 11, 26, 16, 5, 0, 0, time.Local), Gone: gone, Notice: local.Notice{
		Kinds: []policy.Kind{policy.KindStorage}, Outcome: policy.OutcomeBlocked, Request: "4821-7730",
		Clause: policy.DefaultClauses()[policy.ClauseMedia], Contact: policy.Contact{Name: "情報管理係", Phone: "内線 210"},
	}}
}

func TestTheTelephoneIsToldNumberReasonAndWhomToCall(t *testing.T) {
	socket := answering(t, aCase(false), aCase(true))
	code, out, complaint := say(t, "request", "--socket", socket)
	if code != exitOK || complaint != "" {
		t.Fatalf("%d %q", code, complaint)
	}
	for _, want := range []string{"要求番号  4821-7730\n", "接続を止めました", "接続日時 2026-11-26 16:05\n", "(取外し済み)",
		"根拠: 情報セキュリティ基本方針 2(2)④", "連絡先: 情報管理係 内線 210"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	_, out, _ = say(t, "request", "--socket", socket, "--lang", "en")
	for _, want := range []string{"Request number  4821-7730\n", "Blocked: removable", "Plugged in 2026-11-26 16:05, unplugged meanwhile\n", "Contact: "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestAProgramThatWasStoppedHasANumberToo(t *testing.T) {
	c := aCase(true)
	c.Kinds, c.Program, c.What = nil, "ゲーム箱", policy.ProgramRun
	socket := answering(t, c)
	_, out, _ := say(t, "request", "--socket", socket)
	for _, want := range []string{"要求番号  4821-7730\n", "起動を停止しました：ゲーム箱", "検知日時 2026-11-26 16:05(削除済み)\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestTheStatusTellsOfSoftware(t *testing.T) {
	for _, c := range []struct {
		software *local.Software
		lang     string
		want     string
	}{
		{nil, "ja", "ソフトウェア    まだ調べていません"},
		{&local.Software{Mode: "warn", Programs: 812, Violations: 3}, "ja", "警告(812件、うち許可されていないもの 3件)"},
		{&local.Software{Programs: 812}, "en", "not controlled (programs: 812, without a permission: 0)"},
	} {
		var out bytes.Buffer
		showStatus(&out, wordsOf(c.lang), local.Answer{Status: &wire.Status{}, Software: c.software})
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%q is not in\n%s", c.want, out.String())
		}
	}
}

func TestWhoHasNothingToTellIsToldSo(t *testing.T) {
	socket := answering(t)
	for lang, want := range map[string]string{"ja": "要求番号はありません", "en": "no request number"} {
		code, out, complaint := say(t, "request", "--socket", socket, "--lang", lang)
		if code != exitNoCase || !strings.Contains(out, want) || complaint != "" {
			t.Errorf("%d %q %q", code, out, complaint)
		}
	}
	if code, out, _ := say(t, "request", "--socket", socket, "--json"); code != exitNoCase || strings.TrimSpace(out) != "null" {
		t.Errorf("%d %q", code, out)
	}
}

func TestAnAgentThatDoesNotAnswerIsNotTakenForNothing(t *testing.T) {
	code, out, complaint := say(t, "request", "--socket", filepath.Join(t.TempDir(), "none"))
	if code != exitFailed || out != "" || !strings.Contains(complaint, "エージェントが答えません") || !strings.Contains(complaint, askService) {
		t.Errorf("%d %q %q", code, out, complaint)
	}
}

func TestTheDoctorGoesOnWhereTheConfigurationIsNotForUs(t *testing.T) {
	p := patient{configErr: context.DeadlineExceeded, words: wordsOf("ja")}
	if f := p.rights(); f.result != checkUnknown || !strings.Contains(f.advice, superuser) {
		t.Errorf("%+v", f)
	}
	var out bytes.Buffer
	showCases(&out, wordsOf("ja"), nil)
	if !strings.Contains(out.String(), "ありません") {
		t.Error(out.String())
	}
}
