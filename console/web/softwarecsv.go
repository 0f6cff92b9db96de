package web

import (
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sekisho/internal/policy"
)

// ruleColumns are the columns of a file of rules, the same on the way in and out. A cell with several values has one in each line.
var ruleColumns = []string{"list", "title", "name", "publisher", "min_version", "max_version", "hash", "reason", "owner", "review",
	"kind", "signer", "source", "origin", "path", "group", "clause", "alarm", "title_en", "id"}

// cells writes a rule in the order of ruleColumns; words are the stable ones of the policy, so that both languages read them.
func cells(r policy.ProgramRule) []string {
	f := programRuleFormOf(r)
	kinds := make([]string, 0, len(r.Match.Kind))
	for _, k := range r.Match.Kind {
		kinds = append(kinds, string(k))
	}
	alarm := ""
	if r.Alarm {
		alarm = "1"
	}
	return []string{string(r.Action), r.Name.JA, f.Names, f.Publishers, f.MinVersion, f.MaxVersion, f.Hashes, r.Reason, r.Owner, r.Review,
		inLines(kinds), f.Signers, inLines(r.Match.Source), f.Origins, f.Paths, f.Groups, r.Clause, alarm, r.Name.EN, r.ID}
}

// rulesCSV writes a group's rules, of the draft when it is asked for.
func (s *server) rulesCSV(r *request) error {
	g, have, err := s.policyOf(r)
	if err != nil {
		return err
	}
	control := have.Software
	if r.URL.Query().Get("draft") != "" {
		d, err := s.DB.Draft(r.Context(), g.ID)
		if err != nil {
			return err
		}
		control = d.Software
	}
	out := s.pages[r.lang].csvFile(r, "software-rules-"+g.ID)
	out.row(slices.Clone(ruleColumns)...)
	if control != nil {
		for _, rule := range control.Rules {
			out.row(cells(rule)...)
		}
	}
	return out.end()
}

// importPage is a file of rules on its way into a group's draft.
type importPage struct {
	Group   groupView    `json:"group"`
	Text    string       `json:"-"`
	How     string       `json:"how"` // add, replace
	Lines   []importLine `json:"lines"`
	Bad     int          `json:"bad"`
	Good    int          `json:"good"`
	Problem string       `json:"problem,omitempty"` // with the file as a whole
	Draft   bool         `json:"draft"`
	Columns []string     `json:"-"`
}

// importLine is one line: its rule in words, or what is wrong with it.
type importLine struct {
	N        int      `json:"line"`
	Words    string   `json:"words,omitempty"`
	List     string   `json:"list,omitempty"`
	Problems []string `json:"problems,omitempty"`
	rule     policy.ProgramRule
}

const maxImport = 2 << 20 // bytes

func (s *server) askImport(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	return s.showImport(r, importPage{Group: g, How: "add", Lines: []importLine{}}, http.StatusOK)
}

func (s *server) showImport(r *request, body importPage, code int) error {
	body.Columns = ruleColumns[:10]
	return show(s, r, "import", body, title("import.title", body.Group.Name), section("policy"), status(code))
}

// takeImport shows what a file would do, or puts it into the draft.
func (s *server) takeImport(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	body := importPage{Group: g, Lines: []importLine{}}
	if body.Text, err = readUpload(r); err != nil {
		return errBadForm
	}
	if body.How = r.PostFormValue("how"); body.How != "replace" {
		body.How = "add"
	}
	have, base, draft, err := s.baseOf(r, g.ID)
	if err != nil {
		return err
	}
	body.Draft = draft
	p := s.pages[r.lang]
	body.read(p, r.by())
	next := body.onto(base)
	if body.Problem == "" {
		body.judge(p, g, next, len(next.Rules)-len(body.Lines))
	}
	switch {
	case body.Problem != "" || body.Bad > 0:
		return s.showImport(r, body, http.StatusUnprocessableEntity)
	case r.PostFormValue("do") == "take":
		return s.keepDraft(r, g.ID, have.Version, next)
	}
	return s.showImport(r, body, http.StatusOK)
}

// readUpload takes the file, or the text that was shown before.
func readUpload(r *request) (string, error) {
	if err := r.ParseMultipartForm(maxBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return "", err
	}
	if r.MultipartForm != nil {
		defer r.MultipartForm.RemoveAll()
	}
	f, _, err := r.FormFile("file")
	if err != nil {
		return r.PostFormValue("text"), nil // none was chosen
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if len(b) == 0 {
		return r.PostFormValue("text"), err
	}
	return string(b), err
}

// read makes lines of the text.
func (b *importPage) read(p *pages, by string) {
	text := strings.TrimPrefix(b.Text, "\uFEFF")
	switch {
	case len(text) > maxImport:
		b.Problem = p.words.say("import.too_long")
		return
	case !utf8.ValidString(text):
		b.Problem, b.Text = p.words.say("import.not_utf8"), ""
		return
	case strings.TrimSpace(text) == "":
		b.Problem = p.words.say("import.empty")
		return
	}
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord, in.LazyQuotes = -1, false
	head, err := in.Read()
	at := columnsOf(p, head)
	if err != nil || at["list"] < 0 {
		b.Problem = p.words.say("import.no_head")
		return
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Problem = p.words.say("import.broken", err.Error())
			return
		}
		if n, _ := in.FieldPos(0); strings.TrimSpace(strings.Join(row, "")) != "" {
			b.Lines = append(b.Lines, readRuleLine(p, n, at, row, by))
		}
		if len(b.Lines) > policy.MaxProgramRules {
			b.Problem = p.words.say("import.too_many", policy.MaxProgramRules)
			return
		}
	}
}

// columnsOf finds the columns by their stable word or by the word of the page's language.
func columnsOf(p *pages, head []string) map[string]int {
	at := map[string]int{}
	for _, c := range ruleColumns {
		at[c] = slices.IndexFunc(head, func(h string) bool {
			h = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\uFEFF")))
			return h == c || h == strings.ToLower(p.words.say("import.col."+c))
		})
	}
	return at
}

func readRuleLine(p *pages, n int, at map[string]int, row []string, by string) importLine {
	get := func(column string) string {
		i := at[column]
		if i < 0 || i >= len(row) {
			return ""
		}
		return unquoted(strings.TrimSpace(row[i]))
	}
	f := programRuleForm{
		ID: get("id"), NameJA: get("title"), NameEN: get("title_en"), Clause: get("clause"), Alarm: get("alarm") != "" && get("alarm") != "0",
		Reason: get("reason"), Owner: get("owner"), Review: reviewDay(get("review")), Kinds: ticked(lines(get("kind"))), Sources: ticked(lines(get("source"))),
		Names: get("name"), Publishers: get("publisher"), Signers: get("signer"), Origins: get("origin"), Paths: get("path"), Hashes: strings.ToLower(get("hash")),
		Groups: get("group"), MinVersion: get("min_version"), MaxVersion: get("max_version"), Action: listAction(p, get("list")),
	}
	l := importLine{N: n}
	if f.Action == "" {
		l.Problems = append(l.Problems, p.words.say("import.bad_list"))
	}
	for k := range f.Kinds {
		if !slices.Contains(policy.ProgramKinds(), policy.ProgramKind(k)) {
			l.Problems = append(l.Problems, p.words.say("import.bad_kind", k))
		}
	}
	for k := range f.Sources {
		if !slices.Contains(programSources, k) {
			l.Problems = append(l.Problems, p.words.say("import.bad_source", k))
		}
	}
	if f.Owner == "" && f.ID == "" { // a rule that was written out before keeps what it had
		f.Owner = by
	}
	if f.ID == "" {
		f.ID = newRuleID()
	}
	if f.NameJA == "" {
		f.NameJA = cut(strings.Join(append(lines(f.Names), lines(f.Publishers)...), " "), 200)
	}
	if f.NameJA == "" {
		f.NameJA = p.words.say("import.line_n", n)
	}
	form := softwareForm{Rules: []programRuleForm{f}}
	form.Rules[0].Match = f.match()
	l.rule = form.software(p.cal).Rules[0]
	l.List, l.Words = f.Action, p.programMatches(l.rule.Match)
	return l
}

// listAction reads the list's stable word, or what people call it.
func listAction(p *pages, word string) string {
	for _, a := range []policy.Action{policy.ActionAllow, policy.ActionBlock, policy.ActionReport} {
		if strings.EqualFold(word, string(a)) || strings.EqualFold(word, p.words.word("action", a)) {
			return string(a)
		}
	}
	return ""
}

// unquoted takes away the apostrophe that keeps a cell from acting as a formula.
func unquoted(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && inert(rest) == cell {
		return rest
	}
	return cell
}

// onto adds the file's rules behind those that are there, or puts them into their place. A rule whose id is known takes that one's place.
func (b *importPage) onto(base *policy.Software) *policy.Software {
	own := *base
	own.Rules = nil
	if b.How == "add" {
		own.Rules = slices.DeleteFunc(slices.Clone(base.Rules), func(r policy.ProgramRule) bool {
			return slices.ContainsFunc(b.Lines, func(l importLine) bool { return l.rule.ID == r.ID })
		})
	}
	for _, l := range b.Lines {
		own.Rules = append(own.Rules, l.rule)
	}
	return &own
}

// judge asks the policy what is wrong with each line; from is where the file's rules begin.
func (b *importPage) judge(p *pages, g groupView, next *policy.Software, from int) {
	doc := softwarePolicy(g.ID, g.Name, next)
	doc.RemovableMedia = policy.DefaultControl(policy.ModeAudit)
	for _, one := range doc.Validate() {
		after, ok := strings.CutPrefix(one.Path, "software.rules[")
		number, field, _ := strings.Cut(after, "]")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < from || n-from >= len(b.Lines) {
			b.Problem = sentence(one.Text.In(p.cal.lang))
			continue
		}
		l := &b.Lines[n-from]
		if field != ".action" { // it is said as the list's word
			name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(field, "."), "match."), "[")
			l.Problems = append(l.Problems, strings.TrimPrefix(p.words.word("import.col", name)+": "+sentence(one.Text.In(p.cal.lang)), ": "))
		}
	}
	for _, l := range b.Lines {
		if len(l.Problems) > 0 {
			b.Bad++
		} else {
			b.Good++
		}
	}
}
