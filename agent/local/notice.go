package local

import (
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// Notice is what a user is told about a device that the policy forbids.
type Notice struct {
	Kinds    []policy.Kind  `json:"kinds"`
	Outcome  policy.Outcome `json:"outcome"`
	Clause   policy.Clause  `json:"clause"`
	Contact  policy.Contact `json:"contact"`
	Request  string         `json:"request"`  // "4821-7730"
	Language string         `json:"language"` // "ja" (default) or "en"
}

// Words gives title and body in plain words. It says "stopped" only when that was verified, and repeats
// nothing that the device says about itself.
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
	lines := []string{strings.ReplaceAll(said.advice, "%", what)}
	if title := n.Clause.Title.In(n.Language); title != "" {
		lines = append(lines, w.basis+title+w.quote(n.Clause.Quote))
	}
	if who := strings.TrimSpace(n.Contact.Name + " " + n.Contact.Phone); who != "" {
		lines = append(lines, w.contact+who)
	}
	if n.Request != "" {
		lines = append(lines, w.request+n.Request+w.requestHint)
	}
	return strings.ReplaceAll(said.title, "%", what), strings.Join(lines, "\n")
}

// words of one language; % stands for what kind of device it is.
type words struct {
	forms                                map[policy.Outcome]form
	kinds                                map[policy.Kind]string
	composite, other                     string
	basis, contact, request, requestHint string
	open, close                          string // quotation marks
}

type form struct{ title, advice string }

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
	basis: "根拠: ", contact: "連絡先: ", request: "要求番号: ", requestHint: "(連絡の際にお伝えください)",
	open: "「", close: "」",
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
	basis: "Basis: ", contact: "Contact: ", request: "Request number: ", requestHint: " (please tell it when you call)",
	open: " “", close: "”",
}
