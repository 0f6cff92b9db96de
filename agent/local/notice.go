package local

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"sekisho/internal/policy"
)

// Notice is what a user is told about a device, or a program, that the policy forbids.
type Notice struct {
	Program  string         `json:"program,omitempty"` // the program's name; "" is a device
	What     string         `json:"what,omitempty"`    // what happened with the program, policy.Program… words
	Kinds    []policy.Kind  `json:"kinds"`
	Outcome  policy.Outcome `json:"outcome"`
	Clause   policy.Clause  `json:"clause"`
	Contact  policy.Contact `json:"contact"`
	Request  string         `json:"request"`         // "4821-7730"
	Language string         `json:"language"`        // "ja" (default) or "en"
	Check    *Failing       `json:"check,omitempty"` // a check that fails; then nothing is said of a device
}

// Failing is what a user is told about a check that fails.
type Failing struct {
	Name  policy.Text `json:"name"`
	Todo  policy.Text `json:"todo"`
	Stage string      `json:"stage"`
	// Adapter is the name of one that was disabled because of the check; Notice.Outcome says whether it really was.
	Adapter string `json:"adapter,omitempty"`
}

// Words gives title and body in plain words. It says "stopped" only when that was verified, and repeats
// nothing that the device says about itself; of a program it says the name, which people know it by.
func (n Notice) Words() (title, body string) {
	w := japanese
	if n.Language == "en" {
		w = english
	}
	what := w.kind(n.Kinds)
	said := w.forms[n.Outcome]
	if said == (form{}) {
		said = w.forms[policy.OutcomeDetected]
	}
	if n.Program != "" {
		what, said = plain(n.Program), w.program(n.What, n.Outcome)
	}
	if c := n.Check; c != nil {
		said, what = w.failing(c.Stage, c.Todo.In(n.Language)), c.Name.In(n.Language)
		if c.Adapter != "" {
			said, what = w.adapter(n.Outcome), plain(c.Adapter)
		}
	}
	lines := append([]string{strings.ReplaceAll(said.advice, "%", what)}, n.grounds(w)...)
	return strings.ReplaceAll(said.title, "%", what), strings.Join(lines, "\n")
}

// grounds are the lines about the clause, whom to call and what to say there.
func (n Notice) grounds(w words) (lines []string) {
	if title := n.Clause.Title.In(n.Language); title != "" {
		lines = append(lines, w.basis+title+w.quote(n.Clause.Quote))
	}
	lines = append(lines, w.contact+cmp.Or(strings.TrimSpace(n.Contact.Name+" "+n.Contact.Phone), w.helpdesk))
	if n.Request != "" {
		lines = append(lines, w.request+n.Request+w.requestHint)
	}
	return lines
}

// words of one language; % stands for what kind of device it is.
type words struct {
	forms                                map[policy.Outcome]form
	programs                             programForms
	kinds                                map[policy.Kind]string
	composite, other                     string
	basis, contact, request, requestHint string
	helpdesk                             string // whom to call where the policy names nobody
	open, close                          string // quotation marks
	warning, violation                   string // titles about a check that fails
	adapters                             map[policy.Outcome]form
}

type form struct{ title, advice string }

// failing is what is said of a check; % is its name.
func (w words) failing(stage, todo string) form {
	if stage == policy.StageViolation {
		return form{w.violation, todo}
	}
	return form{w.warning, todo}
}

// adapter is what is said of one that was disabled; % is its name. What was not seen to be disabled is not called so.
func (w words) adapter(o policy.Outcome) form {
	said, ok := w.adapters[o]
	if !ok {
		said = w.adapters[policy.OutcomeDetected]
	}
	return said
}

func (w words) quote(s string) string {
	if s == "" {
		return ""
	}
	return w.open + s + w.close
}

// kind names what forbids the device most: what carries files first.
func (w words) kind(kinds []policy.Kind) string {
	if policy.Composite(kinds) {
		return w.composite
	}
	for _, k := range naming {
		if slices.Contains(kinds, k) {
			return w.kinds[k]
		}
	}
	return w.other
}

var naming = []policy.Kind{
	policy.KindStorage, policy.KindCard, policy.KindOptical, policy.KindDisk, policy.KindPortable,
	policy.KindNetwork, policy.KindWireless, policy.KindSerial, policy.KindPrinter, policy.KindVideo, policy.KindAudio,
}

var japanese = words{
	forms: map[policy.Outcome]form{
		policy.OutcomeBlocked: {"%の接続を止めました", "この端末では、許可のない%は使えません。取り外してください。"},
		policy.OutcomeBlockFailed: {"%の接続を止められませんでした",
			"この端末では使用が禁止されています。ファイルを開いたり写したりせず、ただちに取り外して、下記へ連絡してください。"},
		policy.OutcomeDetected: {"%の接続は禁止されています",
			"接続は止めていませんが、記録しました。取り外してください。"},
	},
	kinds: map[policy.Kind]string{
		policy.KindStorage:  "外部記憶媒体(USBメモリなど)",
		policy.KindCard:     "外部記憶媒体(メモリカード)",
		policy.KindOptical:  "外部記憶媒体(光学ディスク)",
		policy.KindDisk:     "外部記憶媒体(外付けディスク)",
		policy.KindPortable: "ポータブルデバイス(スマートフォン、カメラ)",
		policy.KindNetwork:  "通信する装置",
		policy.KindWireless: "無線の装置",
		policy.KindSerial:   "シリアル通信の装置",
		policy.KindPrinter:  "プリンター",
		policy.KindVideo:    "カメラ",
		policy.KindAudio:    "音声の装置",
	},
	composite: "複合装置(記憶とほかの働きを兼ねる装置)", other: "判別できない装置",
	programs: programForms{
		title: "許可されていないソフトウェアです",
		said: map[saying]string{
			{policy.ProgramRun, policy.OutcomeBlocked}:     "許可されていないソフトウェアのため、起動を停止しました：%",
			{policy.ProgramWanted, policy.OutcomeBlocked}:  "許可されていないソフトウェアのため、インストールを停止しました：%",
			{"", policy.OutcomeBlocked}:                    "許可されていないソフトウェアのため、停止しました：%",
			{"", policy.OutcomeQuarantined}:                "許可されていないソフトウェアのため、終了させ、起動できない場所へ移しました：%",
			{"", policy.OutcomeEnded}:                      "許可されていないソフトウェアのため、終了させました：%",
			{"", policy.OutcomeBlockFailed}:                "許可されていないソフトウェアですが、停止できませんでした：%\n使うのをやめて、ただちに下記へ連絡してください。",
			{policy.ProgramRun, policy.OutcomeDetected}:    "許可されていないソフトウェアが起動されました：%\n停止していませんが、記録しました。使うのをやめてください。",
			{policy.ProgramWanted, policy.OutcomeDetected}: "許可されていないソフトウェアがインストールされようとしています：%\n停止していませんが、記録しました。",
			{"", policy.OutcomeDetected}:                   "許可されていないソフトウェアがインストールされました：%\n停止していませんが、記録しました。使わずに、下記へ連絡してください。",
		},
	},
	basis: "根拠: ", contact: "連絡先: ", helpdesk: "ヘルプデスク", request: "要求番号: ", requestHint: "(連絡の際にお伝えください)",
	open: "「", close: "」",
	warning: "端末診断で不適合: %", violation: "端末診断で不適合(期限切れ): %",
	adapters: map[policy.Outcome]form{
		policy.OutcomeBlocked: {"別のネットワークを遮断しました: %",
			"業務用のLANと同時に別のネットワークにつながったため、「%」を無効にしました。業務用のLANはそのまま使えます。つないだものを取り外してください。取り外すと元に戻ります。"},
		policy.OutcomeBlockFailed: {"別のネットワークを遮断できませんでした: %",
			"業務用のLANと同時に別のネットワークにつながっています。「%」への接続をただちに外して、下記へ連絡してください。"},
		policy.OutcomeDetected: {"別のネットワークにつながっています: %",
			"遮断していませんが、記録しました。「%」への接続を外してください。"},
	},
}

var english = words{
	forms: map[policy.Outcome]form{
		policy.OutcomeBlocked: {"Blocked: %", "Without a permission this cannot be used on this terminal. Please unplug it."},
		policy.OutcomeBlockFailed: {"Could not be blocked: %",
			"It is forbidden on this terminal. Do not open or copy files; unplug it now and call the contact below."},
		policy.OutcomeDetected: {"Forbidden: %", "It was not blocked, but recorded. Please unplug it."},
	},
	kinds: map[policy.Kind]string{
		policy.KindStorage:  "removable storage medium (USB memory stick or the like)",
		policy.KindCard:     "removable storage medium (memory card)",
		policy.KindOptical:  "removable storage medium (optical disc)",
		policy.KindDisk:     "removable storage medium (external disk)",
		policy.KindPortable: "portable device (phone, camera)",
		policy.KindNetwork:  "network device",
		policy.KindWireless: "wireless device",
		policy.KindSerial:   "serial device",
		policy.KindPrinter:  "printer",
		policy.KindVideo:    "video camera",
		policy.KindAudio:    "audio device",
	},
	composite: "composite device (storage that also does something else)", other: "device that cannot be recognised",
	programs: programForms{
		title: "Software without a permission",
		said: map[saying]string{
			{policy.ProgramRun, policy.OutcomeBlocked}:     "It was kept from starting, because it is not permitted: %",
			{policy.ProgramWanted, policy.OutcomeBlocked}:  "Its installation was stopped, because it is not permitted: %",
			{"", policy.OutcomeBlocked}:                    "It was stopped, because it is not permitted: %",
			{"", policy.OutcomeQuarantined}:                "It was ended and moved to where it cannot be started, because it is not permitted: %",
			{"", policy.OutcomeEnded}:                      "It was ended, because it is not permitted: %",
			{"", policy.OutcomeBlockFailed}:                "It is not permitted and could not be stopped: %\nStop using it and call the contact below now.",
			{policy.ProgramRun, policy.OutcomeDetected}:    "It was started without being permitted: %\nIt was not stopped, but recorded. Please stop using it.",
			{policy.ProgramWanted, policy.OutcomeDetected}: "It is being installed without being permitted: %\nIt was not stopped, but recorded.",
			{"", policy.OutcomeDetected}:                   "It was installed without being permitted: %\nIt was not stopped, but recorded. Please do not use it, and call the contact below.",
		},
	},
	basis: "Basis: ", contact: "Contact: ", helpdesk: "your helpdesk", request: "Request number: ", requestHint: " (please tell it when you call)",
	open: " “", close: "”",
	warning: "This terminal is not compliant: %", violation: "This terminal is not compliant, and overdue: %",
	adapters: map[policy.Outcome]form{
		policy.OutcomeBlocked: {"Another network was cut off: %",
			"This terminal was connected to another network beside the office's, so “%” was disabled. The office's network goes on to work. Please unplug what was connected; after that it works again."},
		policy.OutcomeBlockFailed: {"Another network could not be cut off: %",
			"This terminal is connected to another network beside the office's. Disconnect “%” now and call the contact below."},
		policy.OutcomeDetected: {"Connected to another network: %", "It was not cut off, but recorded. Please disconnect “%”."},
	},
}

// programForms are what is said of programs.
type programForms struct {
	title string
	said  map[saying]string // % stands for the name
}

// saying is what happened, "" for whatever, and what came of it.
type saying struct {
	what    string
	outcome policy.Outcome
}

func (w words) program(what string, outcome policy.Outcome) form {
	for _, s := range []saying{{what, outcome}, {"", outcome}, {what, policy.OutcomeDetected}, {"", policy.OutcomeDetected}} {
		if advice, ok := w.programs.said[s]; ok {
			return form{w.programs.title, advice}
		}
	}
	return form{title: w.programs.title}
}

// maxName bounds a program's name in a notice.
const maxName = 80

// plain makes a name that is only a name: one line, no sign that turns a line round, not longer than what is read at a glance.
func plain(name string) string {
	letters := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "")))
	if len(letters) > maxName {
		letters = append(letters[:maxName-1], '…')
	}
	return strings.TrimSpace(string(letters))
}
