package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// probesPage lists the products that a group's terminals recognise.
type probesPage struct {
	Group  groupView   `json:"group"`
	Begun  bool        `json:"begun"`
	Probes []probeView `json:"probes"`
}

type probeView struct {
	policy.Probe
	Words string `json:"words"`
}

// Reads names each fact once, however many places it is looked for in.
func (v probeView) Reads() (facts []string) {
	for _, f := range v.Facts {
		if !slices.Contains(facts, f.Fact) {
			facts = append(facts, f.Fact)
		}
	}
	return facts
}

func (s *server) probes(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	body := probesPage{Group: g, Begun: have.Health != nil, Probes: []probeView{}}
	if have.Health != nil {
		for _, b := range have.Health.Probes {
			body.Probes = append(body.Probes, probeView{b, s.pages[r.lang].probeWords(b)})
		}
	}
	return show(s, r, "health-probes", body, title("health.probes.title", g.Name), section("policy"))
}

// probeWords is a probe in a line.
func (p *pages) probeWords(b policy.Probe) string {
	parts := []string{b.Product, b.OS, p.words.say("health.probe.facts_n", len(b.Facts))}
	if b.Patternless {
		parts = append(parts, p.words.say("health.probe.patternless"))
	}
	if b.Off {
		parts = append(parts, p.words.say("health.off"))
	}
	return strings.Join(parts, p.words.say("list.comma"))
}

// probePage is one product's definition as a form of rows: what tells that it is there, and where each fact stands.
// Every press comes back with everything typed.
type probePage struct {
	refusals
	Group    groupView         `json:"group"`
	BasedOn  int64             `json:"based_on"`
	New      bool              `json:"new"`
	Form     map[string]string `json:"form"`
	Detect   []int             `json:"-"`
	Facts    []int             `json:"-"`
	Checked  bool              `json:"checked"`
	Changes  []change          `json:"changes,omitempty"`
	Affected int               `json:"affected"`
	Tried    []triedRow        `json:"tried,omitempty"`
	Results  []triedResult     `json:"results,omitempty"`
	Newer    int64             `json:"newer,omitempty"`
	NewerBy  string            `json:"newer_by,omitempty"`
	Choices  probeChoices      `json:"-"`
}

type probeChoices struct {
	Kinds, DetectKinds []policy.PlaceKind
	Dates              []policy.DateForm
	Facts              []string
	Commands           []string
}

func choicesOfProbes() probeChoices {
	return probeChoices{
		Kinds: []policy.PlaceKind{policy.PlaceRegistry, policy.PlaceFile, policy.PlaceHeader, policy.PlaceCommand, policy.PlaceWMI, policy.PlaceSystem,
			policy.PlaceExists, policy.PlaceService, policy.PlaceProcess, policy.PlaceTime},
		DetectKinds: []policy.PlaceKind{policy.PlaceExists, policy.PlaceRegistry, policy.PlaceService, policy.PlaceProcess},
		Dates:       policy.DateForms(), Commands: policy.Commands(),
		Facts: []string{policy.FactRunning, policy.FactRealtime, policy.FactVersion, policy.FactPatternVersion, policy.FactPatternDate, policy.FactPatternApplied,
			policy.FactScanQuick, policy.FactScanFull, policy.FactLicenceEnd, policy.FactTamper, policy.FactReduced, policy.FactPatternless},
	}
}

const (
	mostDetect = 20
	mostFacts  = 40
)

// placeFields are the fields of a place, beside its kind.
func placeForm(f map[string]string, at string, p policy.Place) {
	f[at+"kind"], f[at+"path"], f[at+"value"], f[at+"view"], f[at+"class"] = string(p.Kind), p.Path, p.Value, p.View, p.Class
	f[at+"command"], f[at+"match"], f[at+"separator"], f[at+"begin"] = p.Command, p.Match, p.Separator, p.Begin
	if p.Kind == policy.PlaceHeader {
		f[at+"size"], f[at+"field"] = strconv.Itoa(p.Size), strconv.Itoa(p.Field)
	}
}

// formOfProbe writes a probe into rows, one for each place: several rows of a fact are tried in their order, as several places are.
func formOfProbe(b policy.Probe) (f map[string]string, detect, facts int) {
	f = map[string]string{"id": b.ID, "product": b.Product, "os": b.OS, "patternless": flagged(b.Patternless), "off": flagged(b.Off), "center": strings.Join(b.Center, ", ")}
	for i, p := range b.Detect {
		placeForm(f, "d"+strconv.Itoa(i)+".", p)
	}
	for _, fact := range b.Facts {
		for _, p := range fact.Place {
			at := "f" + strconv.Itoa(facts) + "."
			placeForm(f, at, p)
			form := fact.Form
			f[at+"fact"], f[at+"date"], f[at+"zone"], f[at+"after"] = fact.Fact, string(form.Date), form.Zone, form.After
			f[at+"true"], f[at+"false"], f[at+"never"] = strings.Join(form.True, ", "), strings.Join(form.False, ", "), strings.Join(form.Never, ", ")
			facts++
		}
	}
	return f, len(b.Detect), facts
}

func flagged(b bool) string {
	if b {
		return "1"
	}
	return ""
}

func (b *probePage) place(at string) policy.Place {
	f := b.Form
	p := policy.Place{Kind: policy.PlaceKind(f[at+"kind"]), Path: f[at+"path"], Value: f[at+"value"], View: f[at+"view"], Class: f[at+"class"],
		Command: f[at+"command"], Match: f[at+"match"], Separator: f[at+"separator"]}
	switch p.Kind { // what another kind left in the fields is not its own
	case policy.PlaceRegistry:
		p.Class, p.Command, p.Separator = "", "", ""
	case policy.PlaceWMI:
		p.View, p.Command, p.Separator = "", "", ""
	case policy.PlaceFile:
		p.Value, p.View, p.Class, p.Command, p.Separator = "", "", "", "", ""
	case policy.PlaceCommand:
		p.Path, p.Value, p.View, p.Class, p.Separator = "", "", "", "", ""
	case policy.PlaceHeader:
		p.Value, p.View, p.Class, p.Command, p.Match = "", "", "", "", ""
		p.Begin = f[at+"begin"]
		p.Size, p.Field = number(narrow(f[at+"size"])), number(narrow(f[at+"field"]))
	case policy.PlaceService, policy.PlaceProcess:
		p.Path, p.View, p.Class, p.Command, p.Match, p.Separator = "", "", "", "", "", ""
	default:
		p.Value, p.View, p.Class, p.Command, p.Match, p.Separator = "", "", "", "", "", ""
	}
	return p
}

// probe makes one of the fields.
func (b *probePage) probe() policy.Probe {
	f := b.Form
	out := policy.Probe{ID: f["id"], Product: f["product"], OS: f["os"], Patternless: f["patternless"] != "", Off: f["off"] != "", Center: wordsOf(f["center"])}
	for _, i := range b.Detect {
		out.Detect = append(out.Detect, b.place("d"+strconv.Itoa(i)+"."))
	}
	for _, i := range b.Facts {
		at := "f" + strconv.Itoa(i) + "."
		fact := policy.ProbeFact{Fact: f[at+"fact"], Place: []policy.Place{b.place(at)}, Form: policy.Form{Type: policy.FactType(f[at+"fact"])}}
		switch fact.Form.Type {
		case policy.TypeTime:
			fact.Form.Date, fact.Form.Zone, fact.Form.After, fact.Form.Never = policy.DateForm(f[at+"date"]), f[at+"zone"], f[at+"after"], wordsOf(f[at+"never"])
		case policy.TypeBool:
			fact.Form.True, fact.Form.False = wordsOf(f[at+"true"]), wordsOf(f[at+"false"])
		}
		out.Facts = append(out.Facts, fact)
	}
	return out
}

// wordsOf takes a list that was typed with commas; words may hold blanks.
func wordsOf(text string) []string {
	var list []string
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '、' || r == '\n' }) {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
}

// rows counts the rows that were posted; they are numbered without holes.
func (b *probePage) rows(v url.Values) {
	for i := 0; i < mostDetect && v.Has("d"+strconv.Itoa(i)+".kind"); i++ {
		b.Detect = append(b.Detect, i)
	}
	for i := 0; i < mostFacts && v.Has("f"+strconv.Itoa(i)+".fact"); i++ {
		b.Facts = append(b.Facts, i)
	}
}

// step adds or takes away a row.
func (b *probePage) step(do string, n int) {
	at := func(family string, i int) string { return family + strconv.Itoa(i) + "." }
	switch {
	case do == "adddetect" && len(b.Detect) < mostDetect:
		b.Form[at("d", len(b.Detect))+"kind"] = string(policy.PlaceExists)
		b.Detect = append(b.Detect, len(b.Detect))
	case do == "addfact" && len(b.Facts) < mostFacts:
		b.Form[at("f", len(b.Facts))+"fact"], b.Form[at("f", len(b.Facts))+"kind"] = policy.FactPatternDate, string(policy.PlaceRegistry)
		b.Facts = append(b.Facts, len(b.Facts))
	case do == "deldetect" && n < len(b.Detect):
		b.shift("d", n, len(b.Detect))
		b.Detect = b.Detect[:len(b.Detect)-1]
	case do == "delfact" && n < len(b.Facts):
		b.shift("f", n, len(b.Facts))
		b.Facts = b.Facts[:len(b.Facts)-1]
	}
}

// shift moves the rows behind one up by one.
func (b *probePage) shift(family string, n, of int) {
	for i := n; i < of; i++ {
		for k := range b.Form {
			if strings.HasPrefix(k, family+strconv.Itoa(i)+".") {
				delete(b.Form, k)
			}
		}
		next := family + strconv.Itoa(i+1) + "."
		for k, v := range b.Form {
			if rest, ok := strings.CutPrefix(k, next); ok {
				b.Form[family+strconv.Itoa(i)+"."+rest] = v
			}
		}
	}
}

func (s *server) probe(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	body := probePage{Group: g, BasedOn: have.Version, New: r.PathValue("probe") == "new"}
	b := policy.Probe{OS: "windows", Detect: []policy.Place{{Kind: policy.PlaceExists}}, Facts: []policy.ProbeFact{{Fact: policy.FactPatternDate,
		Place: []policy.Place{{Kind: policy.PlaceRegistry}}, Form: policy.Form{Type: policy.TypeTime, Date: policy.DateYMD}}}}
	if !body.New {
		i := probeIndex(have.Health, r.PathValue("probe"))
		if i < 0 {
			return store.ErrNotFound
		}
		b = have.Health.Probes[i]
	}
	var detect, facts int
	body.Form, detect, facts = formOfProbe(b)
	body.Detect, body.Facts = upTo(detect), upTo(facts)
	return s.showProbe(r, body, http.StatusOK)
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func probeIndex(h *policy.Health, id string) int {
	if h == nil {
		return -1
	}
	return slices.IndexFunc(h.Probes, func(b policy.Probe) bool { return b.ID == id })
}

func (s *server) showProbe(r *request, body probePage, code int) error {
	body.Choices = choicesOfProbes()
	return show(s, r, "health-probe", body, title("health.probe.title"), section("policy"), status(code))
}

// changeProbe does what the pressed button says: one row more or less, a try with pasted samples, the look at what changes, or publishing.
func (s *server) changeProbe(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return errBadForm
	}
	body := probePage{Group: g, New: r.PathValue("probe") == "new", Form: map[string]string{}}
	for k := range r.PostForm {
		body.Form[k] = r.PostForm.Get(k)
		if !strings.HasSuffix(k, ".sample") && !strings.HasSuffix(k, ".separator") {
			body.Form[k] = strings.TrimSpace(body.Form[k])
		}
	}
	body.BasedOn, _ = strconv.ParseInt(body.Form["based_on"], 10, 64) // no number is no version: refused as old
	if !body.New {
		body.Form["id"] = r.PathValue("probe")
	}
	body.rows(r.PostForm)
	do, arg, _ := strings.Cut(body.Form["do"], ":")
	if do != "try" && do != "check" && do != "publish" && do != "remove" {
		body.step(do, number(arg))
		return s.showProbe(r, body, http.StatusOK)
	}
	return s.checkProbe(r, body, have, do)
}

func (s *server) checkProbe(r *request, body probePage, have store.GroupPolicy, do string) error {
	p := s.pages[r.lang]
	if have.Health == nil {
		return store.ErrNotFound
	}
	if have.Version != body.BasedOn {
		body.Newer, body.NewerBy = have.Version, have.By
		return s.showProbe(r, body, http.StatusConflict)
	}
	b := body.probe()
	want, err := body.put(have, b, do == "remove")
	if err != nil {
		return err
	}
	want.By, want.Reason = r.by(), body.Form["reason"]
	if do != "remove" {
		body.validate(b, want, p)
		if body.New && probeIndex(have.Health, b.ID) >= 0 {
			body.refuse("id", p.words.say("health.probe.same_id"))
		}
	}
	body.try(p, *want.Health, b, r.now)
	switch {
	case len(body.Problems) > 0:
		return s.showProbe(r, body, http.StatusUnprocessableEntity)
	case do == "try":
		return s.showProbe(r, body, http.StatusOK)
	case (do == "publish" || do == "remove") && want.Reason == "":
		body.refuse("reason", p.words.say("edit.reason_missing"))
		body.Checked, body.Affected = do == "publish", body.Group.Terminals
		return s.showProbe(r, body, http.StatusUnprocessableEntity)
	case do == "check":
		body.Checked, body.Changes, body.Affected = true, p.healthChanges(have.Health, want.Health), body.Group.Terminals
		return s.showProbe(r, body, http.StatusOK)
	}
	if _, err := s.DB.PutGroupPolicy(r.Context(), want, body.BasedOn, r.now); err != nil {
		return err
	}
	return seeOther(r, "/policy/"+url.PathEscape(body.Group.ID)+"/health/probes")
}

// put gives the group's policy with the probe in it, or without it.
func (b *probePage) put(have store.GroupPolicy, one policy.Probe, away bool) (store.GroupPolicy, error) {
	after := *have.Health
	after.Probes = slices.Clone(after.Probes)
	i := probeIndex(&after, one.ID)
	switch {
	case away && i < 0:
		return have, store.ErrNotFound
	case away:
		after.Probes = slices.Delete(after.Probes, i, i+1)
	case i >= 0:
		after.Probes[i] = one
	default:
		after.Probes = append(after.Probes, one)
	}
	have.Health = &after
	return have, nil
}

func (b *probePage) validate(one policy.Probe, want store.GroupPolicy, p *pages) {
	for _, problem := range one.Validate() {
		b.refuse(probeField(problem.Path), problem.Text.In(p.cal.lang))
	}
	if len(b.Problems) == 0 {
		for _, problem := range healthProblems(want) {
			b.refuse("id", problem.Text.In(p.cal.lang))
		}
	}
}

// probeField turns probe.facts[2].place[0].match into f2.match, probe.detect[1].path into d1.path.
func probeField(path string) string {
	rest := strings.TrimPrefix(path, "probe.")
	for name, short := range map[string]string{"facts[": "f", "detect[": "d"} {
		if after, ok := strings.CutPrefix(rest, name); ok {
			n, field, _ := strings.Cut(after, "]")
			field = strings.TrimPrefix(field, ".")
			field = strings.TrimPrefix(strings.TrimPrefix(field, "place[0]."), "form.")
			field, _, _ = strings.Cut(field, "[")
			if field == "type" || field == "" || field == "place" {
				field = "kind"
			}
			return short + n + "." + field
		}
	}
	return rest
}
