package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func statusCommand(ctx context.Context, s streams, args []string) error {
	f := flags("status")
	socket := f.String("socket", defaultSocket, "`path` of the agent's local socket")
	asJSON := f.Bool("json", false, "print JSON")
	lang := f.String("lang", language(s.getenv), "`language`: ja or en")
	if err := parse(s, f, args, "Shows what is attached to this terminal and what was judged."); err != nil {
		return err
	}
	a, err := local.Ask(ctx, *socket, local.Request{Ask: local.AskStatus})
	if err != nil {
		return hint(err, "is the service running? `systemctl status sekisho-agent`")
	}
	if a.Status == nil {
		return fmt.Errorf("cannot show the status: the agent gave none")
	}
	if *asJSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(a)
	}
	showStatus(s.out, wordsOf(*lang), a)
	return nil
}

// language is Japanese unless the environment asks for English.
func language(getenv func(string) string) string {
	l := cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"))
	if strings.HasPrefix(l, "en") {
		return "en"
	}
	return "ja"
}

func showStatus(w io.Writer, t statusWords, a local.Answer) {
	s := a.Status
	rows := [][]string{
		{t.mode, t.say(s.Mode) + fmt.Sprintf(t.revision, s.Revision)},
		{t.gate, t.say("gate " + s.Gate)},
		{t.console, t.link(a.Link)},
		{t.unsent, fmt.Sprint(s.Unsent)},
		{t.user, cmp.Or(s.User, "-")},
		{t.agent, s.Agent + " / " + s.OS + " / " + s.Kernel},
	}
	for _, fault := range s.Faults {
		rows = append(rows, []string{t.fault, fault})
	}
	table(w, rows)
	fmt.Fprintln(w)
	showDevices(w, t, s.Devices)
}

func showDevices(w io.Writer, t statusWords, devices []wire.Attached) {
	if len(devices) == 0 {
		fmt.Fprintln(w, t.none)
		return
	}
	rows := [][]string{t.header}
	for _, d := range devices {
		until := ""
		if !d.Decision.Until.IsZero() {
			until = d.Decision.Until.Local().Format(" -01/02 15:04")
		}
		rows = append(rows, []string{d.Device.ID, kindsOf(d.Device), naming(d.Device), cmp.Or(d.Device.Serial, "-"),
			t.say(string(d.Outcome)) + until, d.Decision.Rule})
	}
	table(w, rows)
}

func kindsOf(d policy.Device) string {
	words := make([]string, len(d.Kinds))
	for i, k := range d.Kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ",")
}

func naming(d policy.Device) string {
	name := strings.TrimSpace(d.Manufacturer + " " + d.Name)
	return cmp.Or(name, strings.Trim(d.Vendor+":"+d.Product, ":"), "-")
}

// statusWords is one language of the table.
type statusWords struct {
	mode, revision, gate, console, unsent, user, agent, fault string
	none                                                      string
	header                                                    []string
	connected, never, noConsole                               string
	words                                                     map[string]string
}

func (t statusWords) say(word string) string { return cmp.Or(t.words[word], word) }

func (t statusWords) link(l local.Link) string {
	switch {
	case l.Server == "":
		return t.noConsole
	case l.Error != "":
		return l.Server + " " + l.Error
	case l.Contact.IsZero():
		return l.Server + " " + t.never
	}
	return l.Server + " " + fmt.Sprintf(t.connected, l.Contact.Local().Format("2006-01-02 15:04:05"))
}

func wordsOf(lang string) statusWords {
	if lang == "en" {
		return statusWords{
			mode: "Mode", revision: " (policy revision %d)", gate: "Gate", console: "Console", unsent: "Records not sent",
			user: "User", agent: "Agent", fault: "Fault", none: "No device is attached.",
			header:    []string{"DEVICE", "KIND", "NAME", "SERIAL", "RESULT", "RULE"},
			connected: "last contact %s", never: "not reached yet", noConsole: "none is configured",
			words: map[string]string{
				"gate shut": "shut", "gate open": "open", "gate failed": "FAILED", "gate none": "none",
				"allowed": "allowed", "blocked": "blocked (verified)", "block_failed": "BLOCK FAILED", "allow_failed": "could not be made to work",
				"audit": "record only", "detected": "detected only", "pending": "being judged", "removed": "removed",
			},
		}
	}
	return statusWords{
		mode: "動作", revision: "(ポリシー第%d版)", gate: "関門", console: "管理コンソール", unsent: "未送信の記録",
		user: "利用者", agent: "エージェント", fault: "異常", none: "接続中の装置はありません。",
		header:    []string{"装置", "種類", "名称", "シリアル番号", "結果", "規則"},
		connected: "最終通信日時 %s", never: "まだ通信していません", noConsole: "設定されていません",
		words: map[string]string{
			"audit": "記録のみ", "warn": "警告", "enforce": "禁止を適用",
			"gate shut": "閉", "gate open": "開", "gate failed": "異常", "gate none": "なし",
			"allowed": "許可", "blocked": "遮断(確認済)", "block_failed": "遮断失敗", "allow_failed": "使用可能にできません",
			"detected": "検知のみ", "pending": "処理中", "removed": "取外し",
		},
	}
}
