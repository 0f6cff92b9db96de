package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// queuePage is the software that no rule names, and who may decide about it with one press.
type queuePage struct {
	Groups []choice   `json:"groups"`
	Rows   []queueRow `json:"undecided"`
	Total  int        `json:"total"`
	Group  string     `json:"group,omitempty"`
	Here   string     `json:"here"`
	Any    bool       `json:"any"`
}

// queueRow is a product in one group.
type queueRow struct {
	productView
	Group     string `json:"group_id"`
	GroupName string `json:"group_name"`
	Mode      string `json:"mode"`
	ID        int64  `json:"id"` // of the program that stands for it
}

const queueRows = 200

func (s *server) undecided(r *request) error {
	only := r.URL.Query().Get("group")
	all, _, err := s.finds(r.Context(), "", r.now)
	if err != nil {
		return err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return err
	}
	body := queuePage{Group: only, Rows: []queueRow{}, Any: len(all) > 0, Here: softwareView{Group: only}.url("/software/undecided")}
	total, mine := 0, map[string][]find{}
	for _, f := range all {
		if f.List == listUndecided {
			mine[f.Group] = append(mine[f.Group], f)
		}
	}
	for _, g := range groups {
		rows := productsOf(mine[g.ID])
		total += len(rows)
		if len(rows) > 0 || only == g.ID {
			body.Groups = append(body.Groups, choice{Word: g.Name, N: len(rows), On: only == g.ID, URL: softwareView{Group: g.ID}.url("/software/undecided")})
		}
		if only != "" && only != g.ID {
			continue
		}
		for _, row := range rows {
			body.Rows = append(body.Rows, queueRow{productView: row, Group: g.ID, GroupName: g.Name, ID: row.of[len(row.of)-1].ID})
		}
	}
	body.Groups = append([]choice{{Word: s.pages[r.lang].words.say("software.all"), N: total, On: only == "", URL: "/software/undecided"}}, body.Groups...)
	slices.SortStableFunc(body.Rows, func(a, b queueRow) int { return b.FirstSeen.Compare(a.FirstSeen) })
	body.Total = len(body.Rows)
	body.Rows = body.Rows[:min(len(body.Rows), queueRows)]
	for i := range body.Rows {
		if err := s.complete(r.Context(), &body.Rows[i].productView); err != nil {
			return err
		}
	}
	return show(s, r, "undecided", body, title("undecided.title"), section("software"))
}

// decidePage is one decision about a program for a group: which rule it makes, what that rule will be for, and why.
type decidePage struct {
	refusals
	Group   groupView      `json:"group"`
	Program policy.Program `json:"program"`
	ID      int64          `json:"id"`
	List    string         `json:"list"` // where it stands now
	Rule    policy.Text    `json:"rule"`
	Action  string         `json:"action"`
	Way     string         `json:"way"`
	Ways    []wayView      `json:"ways"`
	Reason  string         `json:"reason"`
	Review  string         `json:"review"`
	BasedOn int64          `json:"based_on"`
	Newer   bool           `json:"newer,omitempty"`
	Mode    policy.Mode    `json:"mode"`
	Owner   string         `json:"owner"`
	Back    string         `json:"-"`
}

// wayView is one way of describing the program, with what it would be for in this group.
type wayView struct {
	policy.Way
	Words     string   `json:"words"`
	Programs  int      `json:"programs"`
	Terminals int      `json:"terminals"`
	Others    []string `json:"others"` // what else it names
}

func (s *server) askDecide(r *request) error {
	body, _, err := s.decidePage(r, r.URL.Query())
	if err != nil {
		return err
	}
	return s.showDecide(r, body, http.StatusOK)
}

func (s *server) showDecide(r *request, body decidePage, code int) error {
	return show(s, r, "decide", body, title("decide.title."+body.Action, s.pages[r.lang].program(body.Program)), section("software"), status(code))
}

func (s *server) decidePage(r *request, q url.Values) (body decidePage, have store.GroupPolicy, err error) {
	if body.Group, err = s.groupByID(r, q.Get("group")); err != nil {
		return body, have, err
	}
	if have, err = s.DB.GroupPolicy(r.Context(), body.Group.ID, 0); err != nil {
		return body, have, err
	}
	finds, _, err := s.finds(r.Context(), body.Group.ID, r.now)
	if err != nil {
		return body, have, err
	}
	body.ID, _ = strconv.ParseInt(q.Get("program"), 10, 64) // no number is no program: not found below
	i := slices.IndexFunc(finds, func(f find) bool { return f.ID == body.ID })
	if i < 0 {
		return body, have, store.ErrNotFound
	}
	f := finds[i]
	body.Program, body.List, body.Rule, body.BasedOn, body.Owner = *f.Program, f.List, f.Decision.RuleName, have.Version, r.by()
	body.Action, body.Way, body.Back = q.Get("action"), q.Get("way"), "/software/undecided?group="+url.QueryEscape(body.Group.ID)
	if body.Action != string(policy.ActionBlock) {
		body.Action = string(policy.ActionAllow)
	}
	body.Mode = policy.ModeAudit
	if have.Software != nil {
		body.Mode = have.Software.Mode
	}
	body.Ways, err = s.ways(r, body.Group.ID, f, finds)
	if len(body.Ways) > 0 && !slices.ContainsFunc(body.Ways, func(w wayView) bool { return w.Key == body.Way }) {
		body.Way = body.Ways[0].Key
	}
	return body, have, err
}

// ways says of each description of a program what else in the group it would name.
func (s *server) ways(r *request, group string, f find, finds []find) ([]wayView, error) {
	var views []wayView
	for _, w := range policy.Ways(*f.Program) {
		v := wayView{Way: w, Words: s.pages[r.lang].programMatches(w.Match)}
		var named []store.Spread
		for _, one := range finds {
			if !w.Match.Matches(group, *one.Program) {
				continue
			}
			named = append(named, one.Spread)
			if word := s.pages[r.lang].program(*one.Program); one.ID != f.ID && len(v.Others) < 10 && !slices.Contains(v.Others, word) {
				v.Others = append(v.Others, word)
			}
		}
		var err error
		v.Programs = len(named)
		if v.Terminals, err = s.DB.CountTerminals(r.Context(), named); err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// decide publishes the group's policy with the new rule, in one transaction.
func (s *server) decide(r *request) error {
	if err := r.ParseForm(); err != nil {
		return errBadForm
	}
	body, have, err := s.decidePage(r, r.PostForm)
	if err != nil {
		return err
	}
	w := s.pages[r.lang].words
	body.Reason, body.Review = strings.TrimSpace(r.PostFormValue("reason")), reviewDay(r.PostFormValue("review"))
	if r.PostFormValue("version") != strconv.FormatInt(have.Version, 10) {
		body.Newer = true
		return s.showDecide(r, body, http.StatusConflict)
	}
	if body.Reason == "" {
		body.refuse("reason", w.say("decide.reason_missing"))
	}
	if len(body.Ways) == 0 {
		body.refuse("way", w.say("decide.no_way"))
		return s.showDecide(r, body, http.StatusUnprocessableEntity)
	}
	rule := body.rule()
	want := have
	want.Software = withRule(have.Software, rule, body.List != listUndecided)
	want.By, want.Reason = r.by(), cut(rule.Name.JA+": "+body.Reason, 3000)
	body.judgeRule(want, r.lang)
	if len(body.Problems) > 0 {
		return s.showDecide(r, body, http.StatusUnprocessableEntity)
	}
	if err := s.publishDecision(r, want, have.Version); err != nil {
		return err
	}
	return seeOther(r, body.Back)
}

func (s *server) publishDecision(r *request, want store.GroupPolicy, basedOn int64) error {
	_, err := s.DB.PutGroupPolicy(r.Context(), want, basedOn, r.now)
	return err
}

// rule is what the decision becomes; who pressed answers for it.
func (b *decidePage) rule() policy.ProgramRule {
	i := slices.IndexFunc(b.Ways, func(w wayView) bool { return w.Key == b.Way })
	name := cut(b.Program.Name, 200)
	rule := policy.ProgramRule{ID: newRuleID(), Match: b.Ways[i].Match, Action: policy.Action(b.Action), Reason: b.Reason, Owner: b.Owner, Review: b.Review,
		Name: policy.Text{JA: "許可: " + name, EN: "Allowed: " + name}}
	if rule.Action == policy.ActionBlock {
		rule.Name, rule.Clause = policy.Text{JA: "禁止: " + name, EN: "Forbidden: " + name}, policy.ClauseSoftware
	}
	return rule
}

// judgeRule shows what the policy says about the new rule beside this form's fields, and about the rest as a whole.
func (b *decidePage) judgeRule(want store.GroupPolicy, lang string) {
	var all refusals
	all.judgeSoftware(b.Group, want.Control, want.Contact, want.Software, lang)
	for _, field := range all.Order {
		_, last, _ := strings.Cut(field, ".")
		switch last {
		case "reason", "review":
			b.refuse(last, all.Problems[field])
		default:
			b.refuse("way", all.Problems[field])
		}
	}
}

// reviewIn is a day that is offered for looking at a decision again: a year on.
func reviewIn(now time.Time, zone *time.Location) string {
	return now.In(zone).AddDate(1, 0, 0).Format(time.DateOnly)
}
