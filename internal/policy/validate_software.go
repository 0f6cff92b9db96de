package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bounds of a policy's software control.
const (
	MaxProgramRules = 2000
	MaxPermits      = 2000
	maxPattern      = 256 // bytes
	maxReason       = 1000
)

var (
	programKinds = []ProgramKind{ProgramDeb, ProgramRPM, ProgramSnap, ProgramFlatpak, ProgramAppImage, ProgramMSI, ProgramApp,
		ProgramMSIX, ProgramFile, ProgramScript}
	sources = []string{SourceRepository, SourceLocal, SourceStore, SourceNone, SourceUnknown}
	dayForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

// ProgramKinds gives every kind of program, for forms and tests.
func ProgramKinds() []ProgramKind { return slices.Clone(programKinds) }

func (c *check) software(p *Policy) {
	s := p.Software
	if s == nil {
		return
	}
	c.need(p.Schema >= SchemaSoftware, "software", "この書式ではソフトウェアを制御できません", "this schema does not control software")
	c.need(slices.Contains(programModes, s.Mode), "software.mode", "動作は learn、audit、warn、enforce のどれかにしてください", "the mode must be learn, audit, warn or enforce")
	c.need(slices.Contains(actions, s.Undecided), "software.undecided", "未判定の扱いは許可、禁止、検知のどれかにしてください", "what is undecided must be allowed, blocked or reported")
	c.need(s.Stall == ActionAllow || s.Stall == ActionBlock, "software.stall", "判定できないときの扱いは許可か禁止にしてください", "without an answer in time it must be allow or block")
	c.programRules(s.Rules, p.Clauses)
	c.permits(s.Permits)
}

func (c *check) programRules(rules []ProgramRule, clauses map[string]Clause) {
	if len(rules) > MaxProgramRules {
		c.say("software.rules", fmt.Sprintf("規則は%d件までです", MaxProgramRules), fmt.Sprintf("no more than %d rules", MaxProgramRules))
		return
	}
	seen := map[string]bool{}
	for i := range rules {
		r, at := &rules[i], fmt.Sprintf("software.rules[%d]", i)
		c.programRule(at, r, clauses)
		c.need(!seen[r.ID], at+".id", "同じIDの規則があります", "another rule has this id")
		seen[r.ID] = true
	}
}

func (c *check) programRule(at string, r *ProgramRule, clauses map[string]Clause) {
	c.need(isID(r.ID) && !strings.HasPrefix(r.ID, "built-in"), at+".id", "IDは英小文字・数字・ハイフンで64文字までにしてください(built-in で始めることはできません)", "the id must be up to 64 lower-case letters, digits and hyphens, and not begin with built-in")
	c.need(strings.TrimSpace(r.Name.JA) != "", at+".name.ja", "名前を入れてください", "give it a name")
	c.text(at+".name.ja", r.Name.JA, maxText)
	c.text(at+".name.en", r.Name.EN, maxText)
	c.need(slices.Contains(actions, r.Action), at+".action", "扱いは許可、禁止、検知のどれかにしてください", "the action must be allow, block or report")
	if _, ok := clauses[r.Clause]; r.Clause != "" && !ok {
		c.say(at+".clause", "条項一覧にない条項です", "this clause is not in the catalogue")
	}
	c.text(at+".reason", r.Reason, maxReason)
	c.text(at+".owner", r.Owner, maxText)
	c.need(r.Review == "" || isDay(r.Review), at+".review", "見直し日は 2027-03-31 のように書いてください", "write the review date like 2027-03-31")
	c.programMatch(at+".match", &r.Match)
}

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil && dayForm.MatchString(s)
}

// programMatch refuses what would match every program: what no rule names has its own setting.
func (c *check) programMatch(at string, m *ProgramMatch) {
	c.need(!m.everything(), at, "条件を一つ以上入れてください", "give it at least one condition")
	eachOf(c, at+".kind", m.Kind, func(k ProgramKind) bool { return slices.Contains(programKinds, k) }, "知らない種類です", "this kind is not known")
	eachOf(c, at+".source", m.Source, func(s string) bool { return slices.Contains(sources, s) }, "知らない入手元です", "this source is not known")
	eachOf(c, at+".hash", m.Hash, digestForm.MatchString, "SHA-256を16進64桁の小文字で書いてください", "write the SHA-256 as 64 lower-case hex digits")
	eachOf(c, at+".group", m.Group, func(g string) bool { return g != "" && len(g) <= maxID && isClean(g) }, "端末区分を選んでください", "choose a terminal category")
	for _, list := range []struct {
		field  string
		values []string
	}{{"name", m.Name}, {"publisher", m.Publisher}, {"signer", m.Signer}, {"origin", m.Origin}, {"path", m.Path}} {
		eachOf(c, at+"."+list.field, list.values, isPattern, "1文字以上256バイトまで、* だけにはできません", "one to 256 bytes, and not * alone")
	}
	c.raw(at+".min_version", m.MinVersion)
	c.raw(at+".max_version", m.MaxVersion)
}

func isPattern(s string) bool {
	return strings.Trim(s, "*") != "" && len(s) <= maxPattern && isClean(s)
}

func (c *check) permits(permits []Permit) {
	if len(permits) > MaxPermits {
		c.say("software.permits", fmt.Sprintf("ソフトウェア使用許可は%d件までです", MaxPermits), fmt.Sprintf("no more than %d software permissions", MaxPermits))
		return
	}
	seen := map[string]bool{}
	for i := range permits {
		t, at := &permits[i], fmt.Sprintf("software.permits[%d]", i)
		c.need(t.ID != "" && len(t.ID) <= maxID && isClean(t.ID), at+".id", "許可の番号がありません", "the permission has no usable id")
		c.need(!seen[t.ID], at+".id", "同じ番号の許可があります", "another permission has this id")
		seen[t.ID] = true
		c.need(!t.From.IsZero(), at+".from", "開始日時を入れてください", "give it a beginning")
		c.need(t.Until.After(t.From), at+".until", "終了日時は開始日時より後にしてください", "the end must be after the beginning")
		c.text(at+".approver", t.Approver, maxText)
		c.programMatch(at+".match", &t.Match)
	}
}
