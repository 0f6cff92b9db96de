package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// reachable is how fresh the last contact must be to say that the terminal can be spoken to now.
const reachable = 5 * time.Minute

// terminalView is one terminal as lists and its page show it.
type terminalView struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Group       string       `json:"group"`
	GroupName   string       `json:"group_name"`
	EnrolledAt  time.Time    `json:"enrolled_at"`
	OS          string       `json:"os"`
	Arch        string       `json:"arch"`
	Agent       string       `json:"agent"`
	Revision    int64        `json:"revision"`
	Applied     int64        `json:"applied"`
	Behind      bool         `json:"behind"`
	LastContact time.Time    `json:"last_contact"`
	Silent      bool         `json:"silent"`
	Reachable   bool         `json:"reachable"`
	Mode        string       `json:"mode"`
	Gate        string       `json:"gate"`
	User        string       `json:"user,omitempty"`
	Open        int          `json:"open"`
	Retired     bool         `json:"retired"`
	Status      *wire.Status `json:"status,omitempty"`
}

func (s *server) terminalView(t store.Terminal, now time.Time) terminalView {
	v := terminalView{
		ID: t.ID, Name: t.Name, Group: t.Group, GroupName: t.GroupName, EnrolledAt: t.EnrolledAt, OS: t.OS, Arch: t.Arch, Agent: t.Agent,
		Revision: t.Revision, Applied: t.Applied, Behind: t.Applied < t.Revision && !t.Retired, LastContact: t.LastContact, Open: t.Open, Retired: t.Retired,
		Mode: t.Status.Mode, Gate: t.Status.Gate, User: t.Status.User,
	}
	if t.Status.OS != "" {
		v.OS = t.Status.OS
	}
	age := now.Sub(t.LastContact)
	v.Silent, v.Reachable = age >= s.SilentAfter && !t.Retired, age < reachable && !t.Retired
	return v
}

type terminalsPage struct {
	Rows   []terminalView `json:"terminals"`
	Groups []choice       `json:"groups"`
	States []choice       `json:"states"`
	Text   string         `json:"text,omitempty"`
	Group  string         `json:"group,omitempty"`
	Only   string         `json:"only,omitempty"` // silent, behind, retired
	Total  int            `json:"total"`
	Silent int            `json:"silent"`
	Behind int            `json:"behind"`
	Gone   int            `json:"retired"` // not in Total
	Here   string         `json:"here"`
	Clear  string         `json:"clear"`
}

func (s *server) terminals(r *request) error {
	q := r.URL.Query()
	body := terminalsPage{Text: cut(strings.TrimSpace(q.Get("q")), 200), Group: q.Get("group"), Only: q.Get("only"), Rows: []terminalView{}}
	list, err := s.DB.Terminals(r.Context(), body.Group, body.Text)
	if err != nil {
		return err
	}
	retired, err := s.DB.Retired(r.Context(), body.Group, body.Text)
	if err != nil {
		return err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return err
	}
	for _, t := range list {
		v := s.terminalView(t, r.now)
		body.Total++
		body.count(v)
		if body.Only == "" || body.Only == "silent" && v.Silent || body.Only == "behind" && v.Behind {
			body.Rows = append(body.Rows, v)
		}
	}
	body.Gone = len(retired)
	if body.Only == "retired" {
		for _, t := range retired {
			body.Rows = append(body.Rows, s.terminalView(t, r.now))
		}
	}
	body.chips(s.pages[r.lang].words, groups)
	return show(s, r, "terminals", body, title("terminals.title"), section("terminals"))
}

func (b *terminalsPage) count(v terminalView) {
	if v.Silent {
		b.Silent++
	}
	if v.Behind {
		b.Behind++
	}
}

func (b *terminalsPage) chips(w words, groups []store.Group) {
	address := func(group, only string) string {
		q := url.Values{}
		for k, v := range map[string]string{"group": group, "only": only, "q": b.Text} {
			if v != "" {
				q.Set(k, v)
			}
		}
		if len(q) == 0 {
			return "/terminals"
		}
		return "/terminals?" + q.Encode()
	}
	b.Here, b.Clear = address(b.Group, b.Only), "/terminals"
	toggle := func(now, this string) string {
		if now == this {
			return ""
		}
		return this
	}
	for _, g := range groups {
		b.Groups = append(b.Groups, choice{Word: g.Name, N: g.Terminals, On: g.ID == b.Group, URL: address(toggle(b.Group, g.ID), b.Only)})
	}
	b.States = []choice{
		{Word: w.say("terminals.silent"), N: b.Silent, On: b.Only == "silent", URL: address(b.Group, toggle(b.Only, "silent"))},
		{Word: w.say("terminals.behind"), N: b.Behind, On: b.Only == "behind", URL: address(b.Group, toggle(b.Only, "behind"))},
	}
	if b.Gone > 0 || b.Only == "retired" {
		b.States = append(b.States, choice{Word: w.say("terminal.retired"), N: b.Gone, On: b.Only == "retired", URL: address(b.Group, toggle(b.Only, "retired"))})
	}
}

// terminalPage is one terminal: what needs doing, what is plugged in, how the agent is, what happened.
type terminalPage struct {
	terminalView
	Devices    []attachedView `json:"devices"`
	Faults     []faultView    `json:"faults"`
	Unsent     uint64         `json:"unsent"`
	Kernel     string         `json:"kernel,omitempty"`
	Update     *wire.Update   `json:"update,omitempty"`
	StatusAt   time.Time      `json:"status_at,omitzero"`
	Reported   bool           `json:"reported"`
	GroupIs    groupView      `json:"group_policy"`
	Groups     []groupView    `json:"groups"`
	Grants     []grantView    `json:"grants"`
	History    []eventView    `json:"history"`
	OpenEvents []eventView    `json:"open_events"`
	OpenTitles []string       `json:"-"`
	Checks     checksShort    `json:"checks"`
}

// checksShort is a terminal's checks in a few lines; the rest is on the check sheet.
type checksShort struct {
	Checking bool        `json:"checking"`
	Reported bool        `json:"reported"`
	Sum      tally       `json:"sum"`
	Needs    []sheetLine `json:"needs"`
	More     int         `json:"more"`
}

// shortNeeds is how many checks the terminal's page names.
const shortNeeds = 5

func (b checkSheet) short() checksShort {
	n := min(len(b.Needs), shortNeeds)
	return checksShort{b.Checking, b.Reported, b.Sum, b.Needs[:n], len(b.Needs) - n}
}

// faultView is what an agent cannot do: in words where this console knows them, and as the agent said it.
type faultView struct {
	Code  string `json:"code,omitempty"`
	Words string `json:"words"`
	Raw   string `json:"raw,omitempty"` // empty when the words are the agent's own
}

func (p *pages) faults(st wire.Status) []faultView {
	views := make([]faultView, 0, len(st.Faults))
	for i, raw := range st.Faults {
		v := faultView{Words: raw}
		if i < len(st.Codes) {
			v.Code = st.Codes[i]
			if text, ok := p.words["fault."+v.Code]; ok {
				v.Words, v.Raw = text, raw
			}
		}
		views = append(views, v)
	}
	return views
}

type attachedView struct {
	wire.Attached
	Kind    string `json:"kind"`
	Blocked int64  `json:"event,omitempty"`
}

// Result is the outcome as people read it.
func (a attachedView) Result() policy.Outcome { return resultOf(a.Outcome, a.Decision.Mode) }

func (s *server) terminal(r *request) error {
	t, err := s.DB.Terminal(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	body := s.terminalPage(t, r)
	if err := s.terminalRest(r, &body); err != nil {
		return err
	}
	return show(s, r, "terminal", body, named(t.Name), section("terminals"))
}

func (s *server) terminalPage(t store.Terminal, r *request) terminalPage {
	st, p := t.Status, s.pages[r.lang]
	body := terminalPage{
		terminalView: s.terminalView(t, r.now), Faults: p.faults(st), Unsent: st.Unsent, Kernel: st.Kernel, Update: st.Update,
		StatusAt: st.At, Reported: !st.At.IsZero(), Devices: []attachedView{},
	}
	for _, a := range st.Devices {
		body.Devices = append(body.Devices, attachedView{Attached: a, Kind: p.words.word("kind", mainKind(a.Device))})
	}
	return body
}

func (s *server) terminalRest(r *request, body *terminalPage) error {
	ctx, p := r.Context(), s.pages[r.lang]
	groups, err := s.DB.Groups(ctx)
	if err != nil {
		return err
	}
	body.Groups = groupViews(groups)
	for _, g := range body.Groups {
		if g.ID == body.Group {
			body.GroupIs = g
		}
	}
	history, err := s.DB.Events(ctx, store.EventFilter{Terminal: body.ID, Limit: 20})
	if err != nil {
		return err
	}
	open, err := s.DB.Events(ctx, store.EventFilter{Terminal: body.ID, Violations: true, State: stateUnclosed, Limit: 5})
	if err != nil {
		return err
	}
	grants, err := s.DB.Grants(ctx, store.GrantFilter{Terminal: body.ID, Limit: 5})
	if err != nil {
		return err
	}
	for _, e := range p.events(open) {
		if !slices.Contains(body.OpenTitles, e.Title) {
			body.OpenTitles = append(body.OpenTitles, e.Title)
		}
	}
	sheet, err := s.sheetOf(r, body.terminalView)
	if err != nil {
		return err
	}
	body.Checks = sheet.short()
	body.History, body.OpenEvents, body.Grants = p.events(history), p.events(open), p.grants(grants, r.now)
	return nil
}
