package main

import (
	"cmp"
	"fmt"
	"strings"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// statusWords is one language of the tables that people at the terminal read.
type statusWords struct {
	lang                                                      string
	mode, revision, gate, console, unsent, user, agent, fault string
	update, unsaid                                            string
	none, until, comma, noAgent, isItRunning, faults, noFault string
	header                                                    []string
	connected, never, noConsole, broken                       string
	number, seen, gone, noCase                                string
	noticed, removed                                          string // of programs
	software, programs, notLooked, uncontrolled               string
	checksFail, checksUnknown                                 string
	adapterOff, adapterStays                                  string
	words                                                     map[string]string
}

func (t statusWords) say(word string) string { return cmp.Or(t.words[word], word) }

func (t statusWords) unreachable(err error) error {
	if t.noAgent == "" {
		return err
	}
	return fmt.Errorf("%s: %w", t.noAgent, err)
}

func (t statusWords) link(l local.Link) string {
	switch {
	case l.Server == "":
		return t.noConsole
	case l.Error != "":
		return l.Server + " " + t.broken + oneLine(l.Error)
	case l.Contact.IsZero():
		return l.Server + " " + t.never
	}
	return l.Server + " " + fmt.Sprintf(t.connected, l.Contact.Local().Format("2006-01-02 15:04:05"))
}

// faultWords is a fault as a sentence; one that these words do not know stays as the agent said it.
func (t statusWords) faultWords(s *wire.Status, i int) string {
	if i < len(s.Codes) {
		if text, ok := t.words["fault "+s.Codes[i]]; ok {
			return text
		}
	}
	return oneLine(s.Faults[i])
}

func (t statusWords) updateWords(u wire.Update) string {
	return oneLine(u.Version) + ": " + t.say("update "+u.State)
}

// softwareWords is how the control of programs stands.
func (t statusWords) softwareWords(s *local.Software) string {
	if s == nil {
		return t.notLooked
	}
	mode := t.uncontrolled
	if s.Mode != "" {
		mode = t.say(s.Mode)
	}
	return fmt.Sprintf(t.programs, mode, s.Programs, s.Violations)
}

func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' }), " ")
}

func (t statusWords) kinds(d policy.Device) string {
	words := make([]string, len(d.Kinds))
	for i, k := range d.Kinds {
		words[i] = cmp.Or(t.words["kind "+string(k)], string(k))
	}
	return strings.Join(words, t.comma)
}

// result is the outcome; under a policy that forbids, an agent that only looks has a word of its own.
func (t statusWords) result(d wire.Attached) string {
	word := string(d.Outcome)
	if d.Outcome == policy.OutcomeAudit && d.Decision.Mode == policy.ModeEnforce {
		word = "observed"
	}
	if d.Decision.Until.IsZero() {
		return t.say(word)
	}
	return t.say(word) + fmt.Sprintf(t.until, d.Decision.Until.Local().Format("01/02 15:04"))
}

func (t statusWords) rule(d policy.Decision) string { return cmp.Or(d.RuleName.In(t.lang), d.Rule) }

func wordsOf(lang string) statusWords {
	if lang == "en" {
		return englishWords()
	}
	return japaneseWords()
}

func englishWords() statusWords {
	return statusWords{
		lang: "en", mode: "Mode", revision: " (policy revision %d)", gate: "Gate", console: "Console", unsent: "Records not sent",
		user: "User", agent: "Agent", fault: "Fault", update: "Update", unsaid: "Watched by the agent alone", none: "No device is attached.", until: " until %s", comma: ", ",
		isItRunning: "is the service running? " + askService,
		faults:      "version %s, faults: %s", noFault: "version %s, no faults",
		checksFail: "Not compliant:", checksUnknown: "Checks that cannot be confirmed: %d (--json shows them)",
		adapterOff: "%s was disabled. ", adapterStays: "%s could not be disabled. ",
		header:    []string{"DEVICE", "KIND", "NAME", "SERIAL", "RESULT", "RULE"},
		connected: "last contact %s", never: "not reached yet", noConsole: "none is configured",
		number: "Request number", seen: "Plugged in %s", gone: ", unplugged meanwhile", noCase: "Nothing that is plugged in or was started is forbidden here. There is no request number to tell.",
		noticed: "Noticed %s", removed: ", removed meanwhile",
		software: "Software", programs: "%s (programs: %d, without a permission: %d)", notLooked: "not looked at yet", uncontrolled: "not controlled",
		words: map[string]string{
			"gate shut": "shut", "gate open": "open", "gate failed": "FAILED", "gate none": "none",
			"allowed": "allowed", "blocked": "blocked (verified)", "block_failed": "BLOCK FAILED", "allow_failed": "could not be made to work",
			"learn": "learning", "audit": "record only", "observed": "only observed", "detected": "detected only", "pending": "being judged", "removed": "removed",
			"update waiting": "waiting for its turn", "update downloading": "being fetched", "update installing": "being installed",
			"update installed": "installed", "update rolled_back": "ROLLED BACK, the version before is at work", "update refused": "REFUSED",
			"update failed": "failed for now, tried again",
			"kind portable": "portable device", "kind card": "memory card", "kind disk": "external disk", "kind system": "internal disk",
			"kind smartcard": "IC card reader", "kind hid": "input device", "kind vendor": "vendor-specific",
		},
	}
}

func japaneseWords() statusWords {
	return statusWords{
		lang: "ja", mode: "動作", revision: "(ポリシー第%d版)", gate: "関門", console: "管理コンソール", unsent: "未送信の記録",
		user: "利用者", agent: "エージェント", fault: "異常", update: "更新", unsaid: "エージェントだけで見張る規則", none: "接続中の装置はありません。", until: "(%s まで)", comma: "、",
		noAgent: "エージェントが答えません", isItRunning: "サービスが動いているか確かめてください: " + askService,
		faults: "版 %s。異常: %s", noFault: "版 %s。異常はありません",
		checksFail: "不適合の検査:", checksUnknown: "確認不可の検査: %d件(--json で表示します)",
		adapterOff: "%s を無効化しました。", adapterStays: "%s を無効化できませんでした。",
		header:    []string{"装置", "種類", "名称", "シリアル番号", "結果", "規則"},
		connected: "最終通信日時 %s", never: "まだ通信していません", noConsole: "設定されていません", broken: "通信できません: ",
		number: "要求番号", seen: "接続日時 %s", gone: "(取外し済み)", noCase: "この端末に、使用を禁止されている装置はつながっておらず、止めたソフトウェアもありません。お伝えいただく要求番号はありません。",
		noticed: "検知日時 %s", removed: "(削除済み)",
		software: "ソフトウェア", programs: "%s(%d件、うち許可されていないもの %d件)", notLooked: "まだ調べていません", uncontrolled: "制御なし",
		words: map[string]string{
			"learn": "学習", "audit": "記録のみ", "warn": "警告", "enforce": "禁止を適用",
			"gate shut": "閉", "gate open": "開", "gate failed": "異常", "gate none": "なし",
			"allowed": "許可", "blocked": "遮断(確認済)", "block_failed": "遮断失敗", "allow_failed": "使用可能にできません",
			"observed": "観察のみ", "detected": "検知のみ", "pending": "処理中", "removed": "取外し",
			"update waiting": "順番待ち", "update downloading": "受信中", "update installing": "入替え中", "update installed": "入替え済み",
			"update rolled_back": "前の版に戻しました", "update refused": "受け付けません", "update failed": "まだできていません。やり直します",
			"kind storage": "USBメモリ等", "kind portable": "ポータブルデバイス", "kind card": "メモリカード", "kind optical": "光学ディスク",
			"kind disk": "外付けディスク", "kind system": "内蔵ディスク", "kind keyboard": "キーボード", "kind mouse": "マウス", "kind hid": "入力装置",
			"kind hub": "ハブ", "kind smartcard": "ICカードリーダー", "kind network": "通信装置", "kind wireless": "無線装置", "kind printer": "プリンター",
			"kind audio": "音声装置", "kind video": "カメラ・映像装置", "kind serial": "シリアル通信装置", "kind vendor": "製造者独自の装置",
			"kind other": "その他の装置", "kind unknown": "判別できない装置",
			"fault clock":         "端末の時計を信じられません。コンソールと通信できるまで、許可は止まっています",
			"fault clock_file":    "時刻の控えを保存できません。ディスクの空きを確かめてください",
			"fault sensor":        "装置の接続が見えていません。1分ごとにやり直しています",
			"fault policy":        "届いたポリシーを受け付けられません。前のポリシーのまま動いています",
			"fault gate":          "関門がポリシーのとおりになっていません",
			"fault early_gate":    "起動の途中の関門を用意できません",
			"fault journal":       "記録をディスクに保存できません。空きができるまで、記憶の中に置いています",
			"fault enrolment":     "コンソールに登録できません",
			"fault software":      "ソフトウェアの一覧をすべては読めません。読めたものと前回の内容で続けています",
			"fault programs":      "ソフトウェアをポリシーのとおりに判定できていません",
			"fault program_rules": "Windows 自身のソフトウェアの規則(AppLocker など)が、ポリシーのとおりになっていません。見張りは続けています",
			"fault crowd":         "装置が多すぎて、すべては表示できません",
			"fault checks":        "端末診断の控えを保存できません。ディスクの空きを確かめてください",
			"fault adapters":      "無効にしたネットワークアダプターを元に戻せません。端末を再起動すると戻ります",
		},
	}
}
