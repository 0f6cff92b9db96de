package carryout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// maxReason is how many characters a reason may have.
const maxReason = 1000

// Give checks what was asked and publishes the permission to its terminal: grant, audit row and the terminal's new
// policy revision in one transaction. The medium is the one of the blocked record; who asks names it by that alone.
// The second answer is what is wrong with the fields (device, terminal, from, until, reason); with it nothing was done.
//
// With a Permit it is a permission for software: what stands in it must be one file or one version of one product, and be
// the program that the record or the terminal's list names.
func (o *Office) Give(ctx context.Context, g store.Grant, now time.Time) (store.Grant, []policy.Problem, error) {
	if g.Permit != nil {
		return o.givePermit(ctx, g, now)
	}
	ev, err := o.DB.Event(ctx, g.Event)
	if errors.Is(err, store.ErrNotFound) {
		return store.Grant{}, []policy.Problem{problem("device", "もとになる記録がありません", "there is no such record")}, nil
	}
	if err != nil {
		return store.Grant{}, nil, fmt.Errorf("cannot give permission: %w", err)
	}
	g, problems := o.fill(g, ev, now)
	if len(problems) > 0 {
		return store.Grant{}, problems, nil
	}
	g, err = o.DB.PutGrant(ctx, g, now)
	if err != nil {
		return store.Grant{}, nil, fmt.Errorf("cannot give permission: %w", err)
	}
	return g, nil, nil
}

// fill takes terminal and medium from the record and checks the rest.
func (o *Office) fill(g store.Grant, ev store.Event, now time.Time) (store.Grant, []policy.Problem) {
	g.Reason = strings.TrimSpace(g.Reason)
	g.From, g.Until = g.From.Truncate(time.Millisecond), g.Until.Truncate(time.Millisecond) // as the tables hold it
	if g.From.IsZero() {
		g.From = now.Truncate(time.Millisecond)
	}
	problems := append(checkReason(g.Reason), o.checkWindow(g, now)...)
	if g.Terminal != "" && g.Terminal != ev.Terminal {
		problems = append(problems, problem("terminal", "この記録の端末ではありません", "this is not the record's terminal"))
	}
	if ev.Record.Event == nil {
		return g, append(problems, problem("device", "この記録には装置がありません", "this record has no device"))
	}
	problems = append(problems, checkDevice(ev.Record.Event.Device)...)
	g.Terminal, g.Approver = ev.Terminal, g.By
	identify(&g, ev.Record.Event.Device)
	return g, problems
}

func checkReason(reason string) []policy.Problem {
	switch {
	case reason == "":
		return []policy.Problem{problem("reason", "理由を入れてください", "give a reason")}
	case utf8.RuneCountInString(reason) > maxReason:
		return []policy.Problem{problem("reason", "理由は1000文字までにしてください", "no more than 1,000 characters")}
	case strings.ContainsFunc(reason, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\r\n\t", r) }):
		return []policy.Problem{problem("reason", "使えない文字が含まれています", "it holds characters that cannot be used")}
	}
	return nil
}

// checkWindow: a permission has an end, lies ahead, and dies with the fiscal year that it begins in.
func (o *Office) checkWindow(g store.Grant, now time.Time) []policy.Problem {
	last := FiscalYearEnd(g.From, o.Zone)
	switch {
	case g.Until.IsZero():
		return []policy.Problem{problem("until", "終了日時を入れてください", "give it an end")}
	case !g.Until.After(g.From):
		return []policy.Problem{problem("until", "終了日時は開始日時より後にしてください", "the end must be after the beginning")}
	case !g.Until.After(now):
		return []policy.Problem{problem("until", "終了日時が過ぎています", "the end is in the past")}
	case g.Until.After(last):
		day := last.Add(-time.Second)
		return []policy.Problem{problem("until", "年度末("+day.Format("2006年1月2日")+")までにしてください",
			"it may not go beyond the fiscal year ("+day.Format("2006-01-02")+")")}
	}
	return nil
}

// FiscalYearEnd is the first moment after the Japanese fiscal year of t: 1 April, midnight.
func FiscalYearEnd(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	year := local.Year()
	if local.Month() >= time.April {
		year++
	}
	return time.Date(year, time.April, 1, 0, 0, 0, 0, zone)
}

// checkDevice refuses what a permission must never let in, and what cannot be told from another of its kind.
func checkDevice(d policy.Device) []policy.Problem {
	switch {
	case policy.Composite(d.Kinds):
		return []policy.Problem{problem("device",
			"記憶のほかにキーボードや通信の機能も持つ装置には許可を出せません。別の媒体を使ってください",
			"this device stores and is also a keyboard, network card or the like; no permission can be given for it, use another medium")}
	case !policy.Grantable(d.Kinds):
		return []policy.Problem{problem("device", "媒体ではないため、許可を出せません", "this is not a medium, so no permission can be given for it")}
	case d.Fault != "":
		return []policy.Problem{problem("device", "装置の情報を読み取れなかったため、許可を出せません",
			"the device's facts could not be read, so no permission can be given for it")}
	case weak(d.Serial) && (d.Digest == "" || d.Port == ""):
		return []policy.Problem{problem("device", "固有のシリアル番号がなく、ほかの媒体と区別できないため、許可を出せません",
			"it has no serial of its own and cannot be told from other media, so no permission can be given for it")}
	}
	return nil
}

// identify writes the medium into the grant. One whose serial says little is also held to its descriptors and port.
func identify(g *store.Grant, d policy.Device) {
	g.Bus, g.Vendor, g.Product, g.Serial = d.Bus, d.Vendor, d.Product, d.Serial
	g.Digest, g.Port = "", ""
	if weak(d.Serial) {
		g.Digest, g.Port = d.Digest, d.Port
	}
	g.DeviceName = strings.TrimSpace(d.Manufacturer + " " + d.Name)
	if g.DeviceName == "" {
		g.DeviceName = strings.Trim(d.Vendor+":"+d.Product, ":")
	}
}

// weak says that a serial is missing or one that factories give to every piece:
// shorter than four, fewer than three different characters, or the digits counted up.
func weak(serial string) bool {
	s := strings.ToUpper(strings.TrimSpace(serial))
	if len(s) < 4 {
		return true
	}
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) < 3 || strings.HasPrefix("0123456789ABCDEF0123456789ABCDEF", s) || strings.HasPrefix("123456789012345678901234567890", s)
}

func problem(path, ja, en string) policy.Problem {
	return policy.Problem{Path: path, Text: policy.Text{JA: ja, EN: en}}
}
