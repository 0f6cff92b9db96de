package policy

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bounds of a policy's control of health.
const (
	MaxProbes     = 200
	MaxWaivers    = 2000
	MaxReferences = 200
	maxFacts      = 40 // of one probe
	maxPlaces     = 20 // of one fact
	maxExpression = 512
	maxHeader     = 4096
	maxSpan       = 100000
	maxReference  = 64 << 20 // bytes
	maxWaived     = 5 * 366  // days that one waiver may run
)

var (
	probeSystems   = []string{"linux", "windows"}
	spanUnits      = []string{UnitMinutes, UnitHours, UnitDays, UnitWorkingDays, UnitCharacters, UnitCount}
	referenceKinds = []string{ReferencePatterns, ReferenceBaseline, ReferenceAdvisory, ReferenceSupport}
	zoneForm       = regexp.MustCompile(`^[+-](0\d|1[0-4]):[0-5]\d$`)
	fileRoots      = []string{"/etc/", "/opt/", "/usr/", "/var/", "/run/", "/sys/", "/proc/", `C:\Program Files`, `C:\ProgramData\`, `C:\Windows\`}
	// secrets are never read for a probe, whatever its expression takes of them.
	secrets = []string{"shadow", "/etc/ssl/private", "/etc/ssh", "/etc/sudoers", "/var/lib/sekisho", "environ", "kcore", "id_rsa", "private", "password", "credential", "secret", `\config\sam`, `\config\security`, "lsa", "defaultpassword"}
)

func (c *check) health(p *Policy) {
	h := p.Health
	if h == nil {
		return
	}
	c.need(p.Schema >= SchemaHealth, "health", "この書式では端末診断を制御できません", "this schema does not control checks")
	c.need(slices.Contains(modes, h.Mode), "health.mode", "動作は audit、warn、enforce のどれかにしてください", "the mode must be audit, warn or enforce")
	c.span("health.settle", h.Settle, UnitMinutes, UnitHours, UnitDays)
	c.healthChecks(h, p)
	c.probes(h.Probes)
	c.waivers(h.Waivers)
	c.calendar(h.Calendar)
	c.references(h)
}

func (c *check) healthChecks(h *Health, p *Policy) {
	seen := map[string]bool{}
	if len(h.Checks) > maxList {
		c.say("health.checks", fmt.Sprintf("検査は%d件までです", maxList), fmt.Sprintf("no more than %d checks", maxList))
		return
	}
	for i := range h.Checks {
		k, at := &h.Checks[i], fmt.Sprintf("health.checks[%d]", i)
		info, known := CheckOf(k.ID)
		c.need(known, at+".id", "知らない検査です", "this check is not known")
		c.need(!seen[k.ID], at+".id", "同じ検査が二つあります", "this check is there twice")
		seen[k.ID] = true
		c.healthCheck(at, k, info)
		c.separate(at+".separate", k, p)
		if _, ok := p.Clauses[k.Clause]; k.Clause != "" && !ok {
			c.say(at+".clause", "条項一覧にない条項です", "this clause is not in the catalogue")
		}
	}
}

func (c *check) healthCheck(at string, k *Check, info CheckInfo) {
	c.need(k.Mode == "" || slices.Contains(modes, k.Mode), at+".mode", "動作は audit、warn、enforce のどれかにしてください", "the mode must be audit, warn or enforce")
	for _, name := range sortedKeys(k.Limits) {
		usual, ok := info.Limits[name]
		c.need(ok, at+".limits["+name+"]", "この検査にない基準です", "this check has no such limit")
		c.limit(at+".limits["+name+"]", k.Limits[name], usual)
	}
	eachOf(c, at+".allowed", k.Allowed, isPattern, "1文字以上256バイトまで、* だけにはできません", "one to 256 bytes, and not * alone")
	c.need(len(k.Allowed) == 0 || info.Lists, at+".allowed", "この検査に許可の一覧はありません", "this check has no list of what is allowed")
	eachOf(c, at+".os", k.OS, func(s string) bool { return slices.Contains(probeSystems, s) }, "OSは linux か windows にしてください", "the system must be linux or windows")
	eachOf(c, at+".group", k.Group, func(g string) bool { return g != "" && len(g) <= maxID && isClean(g) }, "端末区分を選んでください", "choose a terminal category")
	if k.Grace != nil {
		c.span(at+".grace.warning", k.Grace.Warning, UnitMinutes, UnitHours, UnitDays, UnitWorkingDays)
		c.span(at+".grace.violation", k.Grace.Violation, UnitMinutes, UnitHours, UnitDays, UnitWorkingDays)
		c.need(k.Grace.Warning.Length() <= k.Grace.Violation.Length(), at+".grace.violation", "警告より後にしてください", "it must not come before the warning")
	}
}

// separate: whoever wants an adapter disabled must say so of a check that is about adapters, in a document that agents read it in.
func (c *check) separate(at string, k *Check, p *Policy) {
	if k.Separate == "" {
		return
	}
	c.need(p.Schema >= SchemaSeparate, at, "この書式では別のアダプターの無効化を指定できません", "this schema cannot have adapters disabled")
	c.need(k.Separate == SeparateReport || k.Separate == SeparateDisable, at, "report か disable にしてください", "it must be report or disable")
	c.need(Separable(k.ID), at, "この検査ではアダプターを無効にできません", "this check cannot have an adapter disabled")
}

// limit takes another unit only of the same nature: days may become working days, never characters.
func (c *check) limit(at string, s, usual Span) {
	switch usual.Unit {
	case UnitCharacters, UnitCount:
		c.span(at, s, usual.Unit)
	case UnitMinutes:
		c.span(at, s, UnitMinutes, UnitHours)
	default:
		c.span(at, s, UnitHours, UnitDays, UnitWorkingDays)
	}
}

func (c *check) span(at string, s Span, units ...string) {
	if s == (Span{}) {
		return
	}
	c.need(s.Count >= 0 && s.Count <= maxSpan, at+".count", "0以上の数にしてください", "give a number that is not negative")
	c.need(slices.Contains(units, s.Unit), at+".unit", "ここでは使えない単位です", "this unit cannot be used here")
}

func (c *check) probes(probes []Probe) {
	if len(probes) > MaxProbes {
		c.say("health.probes", fmt.Sprintf("製品の定義は%d件までです", MaxProbes), fmt.Sprintf("no more than %d products", MaxProbes))
		return
	}
	seen := map[string]bool{}
	for i := range probes {
		at := fmt.Sprintf("health.probes[%d]", i)
		c.probe(at, &probes[i])
		c.need(!seen[probes[i].ID], at+".id", "同じIDの製品があります", "another product has this id")
		seen[probes[i].ID] = true
	}
}

// Validate says what is wrong with one probe, for the page on which it is made.
func (p *Probe) Validate() []Problem {
	c := &check{}
	c.probe("probe", p)
	return c.problems
}

func (c *check) probe(at string, p *Probe) {
	c.need(isID(p.ID), at+".id", "IDは英小文字・数字・ハイフンで64文字までにしてください", "the id must be up to 64 lower-case letters, digits and hyphens")
	c.need(strings.TrimSpace(p.Product) != "", at+".product", "製品の名前を入れてください", "name the product")
	c.text(at+".product", p.Product, maxID)
	c.need(slices.Contains(probeSystems, p.OS), at+".os", "OSは linux か windows にしてください", "the system must be linux or windows")
	c.need(len(p.Detect) > 0, at+".detect", "何があれば導入済みとみなすかを入れてください", "say what is there when the product is installed")
	c.places(at+".detect", p.Detect, p.OS)
	eachOf(c, at+".center", p.Center, func(s string) bool { return isPattern(s) && len(s) <= maxID }, "64バイトまで、* だけにはできません", "up to 64 bytes, and not * alone")
	c.need(len(p.Facts) <= maxFacts, at+".facts", fmt.Sprintf("項目は%d件までです", maxFacts), fmt.Sprintf("no more than %d facts", maxFacts))
	for i := range p.Facts[:min(len(p.Facts), maxFacts)] {
		f, where := &p.Facts[i], fmt.Sprintf("%s.facts[%d]", at, i)
		c.need(f.Fact != FactInstalled && strings.HasPrefix(f.Fact, AreaAntivirus+".") && factTypes[f.Fact] != "", where+".fact", "知らない項目です", "this fact is not known")
		c.need(f.Form.Type == factTypes[f.Fact], where+".form.type", fmt.Sprintf("この項目の型は %s です", factTypes[f.Fact]), fmt.Sprintf("the type of this fact is %s", factTypes[f.Fact]))
		c.need(len(f.Place) > 0, where+".place", "どこにあるかを入れてください", "say where it stands")
		c.places(where+".place", f.Place, p.OS)
		c.form(where+".form", &f.Form)
	}
}

func (c *check) form(at string, f *Form) {
	c.need(f.Type != TypeTime || slices.Contains(DateForms(), f.Date), at+".date", "日付の書き方を選んでください", "choose how the date is written")
	c.need(f.Zone == "" || zoneForm.MatchString(f.Zone), at+".zone", "+09:00 のように書いてください", "write it like +09:00")
	c.need(f.After == "" || isDay(f.After), at+".after", "2020-01-01 のように書いてください", "write it like 2020-01-01")
	c.need(f.Min == nil || f.Max == nil || *f.Min <= *f.Max, at+".max", "最小より小さくなっています", "it is below the minimum")
	for _, list := range [][]string{f.True, f.False, f.Never} {
		eachOf(c, at+".words", list, func(s string) bool { return isPattern(s) && len(s) <= maxID }, "64バイトまで、* だけにはできません", "up to 64 bytes, and not * alone")
	}
}

func (c *check) places(at string, list []Place, os string) {
	if len(list) > maxPlaces {
		c.say(at, fmt.Sprintf("場所は%d件までです", maxPlaces), fmt.Sprintf("no more than %d places", maxPlaces))
		return
	}
	for i := range list {
		c.place(fmt.Sprintf("%s[%d]", at, i), &list[i], os)
	}
}

func (c *check) place(at string, p *Place, os string) {
	switch p.Kind {
	case PlaceRegistry:
		c.need(os == "windows" && isRegistryKey(p.Path) && !secret(p.Path+`\`+p.Value), at+".path", `HKLM\… か HKU\… のキーにしてください(秘密の値は読めません)`, `give a key below HKLM or HKU; secrets are not read`)
		c.need(slices.Contains([]string{"", "32", "64"}, p.View), at+".view", "32 か 64 にしてください", "give 32 or 64")
		c.raw(at+".value", p.Value)
	case PlaceFile, PlaceHeader, PlaceExists, PlaceTime, PlaceSystem:
		c.need(isReadable(p.Path, os), at+".path", "読んでよい場所の絶対パスにしてください", "give an absolute path where reading is allowed")
	case PlaceCommand:
		c.need(slices.Contains(Commands(), p.Command), at+".command", "決められたコマンドから選んでください", "choose one of the fixed commands")
	case PlaceWMI:
		c.need(os == "windows" && strings.HasPrefix(strings.ToLower(p.Path), `root\`) && isPlainName(p.Class) && isPlainName(p.Value), at+".path", "名前空間、クラス、項目を入れてください", "give namespace, class and property")
	case PlaceService, PlaceProcess:
		c.need(isPlainName(p.Value), at+".value", "名前を入れてください", "give its name")
	default:
		c.say(at+".kind", "知らない種類です", "this kind is not known")
	}
	c.expression(at, p)
	c.need(p.Kind != PlaceHeader || p.Size > 0 && p.Size <= maxHeader && len(p.Separator) == 1, at+".size", "大きさと区切りを入れてください", "give size and separator")
	c.raw(at+".begin", p.Begin)
	c.need(p.Field >= 0 && p.Field < maxHeader, at+".field", "0以上の数にしてください", "give a number that is not negative")
}

func (c *check) expression(at string, p *Place) {
	if p.Match == "" && (p.Kind == PlaceRegistry || p.Kind == PlaceWMI) {
		return
	}
	if p.Kind != PlaceFile && p.Kind != PlaceCommand && p.Kind != PlaceRegistry && p.Kind != PlaceWMI {
		c.need(p.Match == "", at+".match", "ここでは使いません", "it is not used here")
		return
	}
	re, err := expression(p.Match)
	c.need(err == nil && re.NumSubexp() >= 1, at+".match",
		fmt.Sprintf("値を囲む ( ) が一つある、繰返しの少ない%dバイトまでの正規表現にしてください", maxExpression),
		fmt.Sprintf("give an expression of up to %d bytes, with a group around the value and few repetitions", maxExpression))
}

func secret(p string) bool {
	low := strings.ToLower(p)
	return slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(low, s) })
}

func isReadable(p, os string) bool {
	slashes := strings.ReplaceAll(p, `\`, "/")
	if p == "" || len(p) > maxSerial || !isClean(p) || secret(p) || slashes != path.Clean(slashes) {
		return false
	}
	return slices.ContainsFunc(fileRoots, func(root string) bool {
		return strings.HasPrefix(root, "/") == (os == "linux") && len(p) > len(root) && strings.EqualFold(p[:len(root)], root)
	})
}

func (c *check) waivers(list []Waiver) {
	if len(list) > MaxWaivers {
		c.say("health.waivers", fmt.Sprintf("免除は%d件までです", MaxWaivers), fmt.Sprintf("no more than %d waivers", MaxWaivers))
		return
	}
	seen := map[string]bool{}
	for i := range list {
		w, at := &list[i], fmt.Sprintf("health.waivers[%d]", i)
		c.need(w.ID != "" && len(w.ID) <= maxID && isClean(w.ID), at+".id", "免除の番号がありません", "the waiver has no usable id")
		c.need(!seen[w.ID], at+".id", "同じ番号の免除があります", "another waiver has this id")
		seen[w.ID] = true
		_, known := CheckOf(w.Check)
		c.need(known, at+".check", "知らない検査です", "this check is not known")
		c.need(len(w.Terminals)+len(w.Group) > 0, at+".terminals", "端末か端末区分を選んでください", "choose terminals or a terminal category")
		c.need(len(w.Terminals) <= maxList && len(w.Group) <= maxList, at+".terminals", "多すぎます", "too many")
		for field, text := range map[string]string{"reason": w.Reason, "measure": w.Measure, "approver": w.Approver} {
			c.need(strings.TrimSpace(text) != "", at+"."+field, "入力してください", "fill this in")
			c.text(at+"."+field, text, maxReason)
		}
		c.need(!w.Until.IsZero() && w.Until.After(w.From), at+".until", "終わりの日を入れてください。終わりのない免除はできません", "give an end; no waiver is without one")
		c.need(w.From.IsZero() || w.Until.Sub(w.From) <= maxWaived*24*time.Hour, at+".until", "5年までにしてください", "five years at most")
		c.need(!w.From.IsZero(), at+".from", "始まりの日を入れてください", "give it a beginning")
	}
}

func (c *check) calendar(k Calendar) {
	c.text("health.calendar.name", k.Name, maxText)
	c.need(len(k.Closed) <= maxCounted/10, "health.calendar.closed", "多すぎます", "too many")
	for i, day := range k.Closed[:min(len(k.Closed), maxCounted/10)] {
		c.need(isDay(day), fmt.Sprintf("health.calendar.closed[%d]", i), "2027-01-01 のように書いてください", "write it like 2027-01-01")
	}
	c.need(k.Zone == "" || zoneForm.MatchString(k.Zone), "health.calendar.zone", "+09:00 のように書いてください", "write it like +09:00")
}

func (c *check) references(h *Health) {
	c.need(len(h.References) <= MaxReferences, "health.references", "多すぎます", "too many")
	for i := range h.References[:min(len(h.References), MaxReferences)] {
		r, at := &h.References[i], fmt.Sprintf("health.references[%d]", i)
		c.need(strings.TrimSpace(r.Name) != "", at+".name", "名前を入れてください", "give it a name")
		c.text(at+".name", r.Name, maxText)
		c.text(at+".signed_by", r.SignedBy, maxText)
		c.need(slices.Contains(referenceKinds, r.Kind), at+".kind", "知らない種類です", "this kind is not known")
		c.need(!r.MadeAt.IsZero() && r.MadeAt.Year() >= 2000, at+".made_at", "作成日を入れてください", "say when it was made")
		c.need((r.Kind == ReferencePatterns) == (r.Product != ""), at+".product", "パターンファイルの基準には製品を入れてください", "patterns, and only they, name a product")
		c.need(r.Kind == ReferencePatterns || digestForm.MatchString(r.SHA256), at+".sha256", "SHA-256を16進64桁の小文字で書いてください", "write the SHA-256 as 64 lower-case hex digits")
		c.need(r.Size >= 0 && r.Size <= maxReference, at+".size", "大きすぎます", "it is too large")
	}
}
