package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a policy.
const (
	MaxRules   = 500
	MaxGrants  = 2000
	MaxClauses = 1000
	maxList    = 200  // values in one field of a match
	maxText    = 500  // characters of a sentence
	maxQuote   = 4000 // characters of a clause
	maxID      = 64
	maxSerial  = 256 // bytes, as in Device

	maxRelease   = 32 << 10 // bytes of a signed release manifest
	maxSignature = 64
	maxSpread    = 3600
)

// Problem is what is wrong with one field; Path leads there as in the JSON: removable_media.rules[2].match.class[0].
type Problem struct {
	Path string `json:"path"`
	Text Text   `json:"text"`
}

// Validate says what is wrong with the policy; nothing means that it can be applied. It does not look at Terminal:
// a console also checks what is not composed for a terminal yet.
func (p *Policy) Validate() []Problem {
	c := &check{}
	if p == nil {
		c.say("", "ポリシーがありません", "there is no policy")
		return c.problems
	}
	c.document(p)
	c.control("removable_media", &p.RemovableMedia, p.Clauses)
	c.grants(p.Grants)
	c.clauses(p.Clauses)
	c.update(p)
	c.software(p)
	c.health(p)
	return c.problems
}

// check gathers problems.
type check struct{ problems []Problem }

func (c *check) say(path, ja, en string) {
	c.problems = append(c.problems, Problem{Path: path, Text: Text{JA: ja, EN: en}})
}

func (c *check) need(ok bool, path, ja, en string) {
	if !ok {
		c.say(path, ja, en)
	}
}

func (c *check) document(p *Policy) {
	c.need(p.Schema >= 1 && p.Schema <= Schema, "schema", "この版の書式は扱えません", "this schema is not known")
	c.need(p.Revision >= 0, "revision", "版は0以上にしてください", "the revision must not be negative")
	c.need(slices.Contains([]string{"", "ja", "en"}, p.Language), "language", "言語は ja か en にしてください", "the language must be ja or en")
	c.text("group_name", p.GroupName, maxText)
	c.text("contact.name", p.Contact.Name, maxText)
	c.text("contact.phone", p.Contact.Phone, maxID)
}

// update looks at the form alone: whether the release may be believed is for who has its keys.
func (c *check) update(p *Policy) {
	u := p.Update
	if u == nil {
		return
	}
	c.need(p.Schema >= SchemaUpdate, "update", "この書式では更新を配布できません", "this schema has no updates")
	c.need(u.Offer > 0, "update.offer", "配布の番号がありません", "the offer has no number")
	c.need(len(u.Manifest) > 0 && len(u.Manifest) <= maxRelease && len(u.Signature) > 0 && len(u.Signature) <= maxSignature, "update.manifest",
		"更新の署名付き一覧がないか、長すぎます", "the signed manifest is missing or too long")
	c.need(u.Spread >= 0 && u.Spread <= maxSpread, "update.spread", "配布の間隔は1時間までにしてください", "the spread must be an hour at most")
	c.text("update.version", u.Version, maxID)
	c.text("update.key", u.Key, maxID)
}

func (c *check) control(path string, ctl *Control, clauses map[string]Clause) {
	c.need(slices.Contains(modes, ctl.Mode), path+".mode", "動作は audit、warn、enforce のどれかにしてください", "the mode must be audit, warn or enforce")
	rules := path + ".rules"
	if len(ctl.Rules) == 0 {
		c.say(rules, "規則がありません。最後に既定の規則を置いてください", "there are no rules; end with a default rule")
		return
	}
	if len(ctl.Rules) > MaxRules {
		c.say(rules, fmt.Sprintf("規則は%d件までです", MaxRules), fmt.Sprintf("no more than %d rules", MaxRules))
		return
	}
	seen := map[string]bool{}
	for i := range ctl.Rules {
		r, at := &ctl.Rules[i], fmt.Sprintf("%s[%d]", rules, i)
		c.rule(at, r, clauses)
		c.need(!seen[r.ID], at+".id", "同じIDの規則があります", "another rule has this id")
		seen[r.ID] = true
		c.order(at+".match", r.Match.everything(), i == len(ctl.Rules)-1)
	}
}

// order keeps the default rule last: without one, or with rules behind it, people misread what the list does.
func (c *check) order(path string, everything, last bool) {
	c.need(everything || !last, path, "最後の規則は、すべての装置に当てはまる既定の規則にしてください", "the last rule must be a default that matches every device")
	c.need(!everything || last, path, "条件がないため、後ろの規則が使われません", "it has no condition, so the rules behind it are never reached")
}

func (c *check) rule(path string, r *Rule, clauses map[string]Clause) {
	c.need(isID(r.ID) && !strings.HasPrefix(r.ID, "built-in"), path+".id", "IDは英小文字・数字・ハイフンで64文字までにしてください(built-in で始めることはできません)", "the id must be up to 64 lower-case letters, digits and hyphens, and not begin with built-in")
	c.need(strings.TrimSpace(r.Name.JA) != "", path+".name.ja", "名前を入れてください", "give it a name")
	c.text(path+".name.ja", r.Name.JA, maxText)
	c.text(path+".name.en", r.Name.EN, maxText)
	c.need(slices.Contains(actions, r.Action), path+".action", "制御は許可、禁止、検知のどれかにしてください", "the action must be allow, block or report")
	if _, ok := clauses[r.Clause]; r.Clause != "" && !ok {
		c.say(path+".clause", "条項一覧にない条項です", "this clause is not in the catalogue")
	}
	c.match(path+".match", &r.Match)
}

func (c *check) clauses(clauses map[string]Clause) {
	if len(clauses) > MaxClauses {
		c.say("clauses", fmt.Sprintf("条項は%d件までです", MaxClauses), fmt.Sprintf("no more than %d clauses", MaxClauses))
		return
	}
	for _, id := range sortedKeys(clauses) {
		clause, path := clauses[id], "clauses["+id+"]"
		c.text(path, id, maxID)
		c.need(clause.Title.JA != "", path+".title.ja", "条項の名前を入れてください", "give the clause a title")
		c.text(path+".title.ja", clause.Title.JA, maxText)
		c.text(path+".title.en", clause.Title.EN, maxText)
		c.text(path+".quote", clause.Quote, maxQuote)
	}
}

// text refuses what would break a line on a page or in a notification.
func (c *check) text(path, s string, limit int) {
	c.need(utf8.RuneCountInString(s) <= limit, path, fmt.Sprintf("%d文字までにしてください", limit), fmt.Sprintf("no more than %d characters", limit))
	c.need(isClean(s), path, "使えない文字が含まれています", "it holds characters that cannot be used")
}
