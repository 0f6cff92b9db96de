package web

import (
	"net/url"
	"strconv"
	"strings"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// askPage asks once before something is done that a person at a terminal will feel. It is a page with its own address:
// it needs no script, and the way back is a link.
type askPage struct {
	Question string       `json:"question"`
	Warning  string       `json:"warning,omitempty"`
	Why      string       `json:"why,omitempty"` // of the warning
	Facts    []fact       `json:"facts"`
	Changes  []change     `json:"changes,omitempty"`
	Compared bool         `json:"-"` // Changes are worth a word also when there are none
	Hidden   []fact       `json:"-"` // what the form carries along
	Reason   *reasonField `json:"-"` // nil: no reason is asked for
	Newer    string       `json:"-"` // the word for what somebody changed since the question was put
	Action   string       `json:"action"`
	Button   string       `json:"-"`
	Back     string       `json:"back"`
}

// fact is a word and what it stands for.
type fact struct {
	Word  string `json:"word"`
	Value string `json:"value"`
}

// reasonField is the reason as it was typed, and what is wrong with it.
type reasonField struct{ Typed, Problem string }

func (s *server) ask(r *request, body askPage, part string, code int) error {
	return show(s, r, "ask", body, named(body.Question), section(part), status(code))
}

// move is a terminal on its way into another group.
type move struct {
	terminal   store.Terminal
	group      groupView
	have, want store.GroupPolicy
}

func (s *server) moveOf(r *request) (m move, err error) {
	if m.terminal, err = s.DB.Terminal(r.Context(), r.PathValue("id")); err != nil {
		return m, err
	}
	if m.terminal.Retired {
		return m, store.ErrNotFound
	}
	if m.group, err = s.groupByID(r, r.FormValue("group")); err != nil {
		return m, err
	}
	if m.have, err = s.DB.GroupPolicy(r.Context(), m.terminal.Group, 0); err != nil {
		return m, err
	}
	m.want, err = s.DB.GroupPolicy(r.Context(), m.group.ID, 0)
	return m, err
}

func (s *server) askMove(r *request) error {
	m, err := s.moveOf(r)
	if err != nil {
		return err
	}
	if m.group.ID == m.terminal.Group {
		return seeOther(r, "/terminals/"+url.PathEscape(m.terminal.ID))
	}
	return s.ask(r, s.movePage(r, m), "terminals", 200)
}

func (s *server) movePage(r *request, m move) askPage {
	p := s.pages[r.lang]
	say, at := p.words.say, "/terminals/"+url.PathEscape(m.terminal.ID)
	body := askPage{
		Question: say("ask.move", m.terminal.Name, m.group.Name), Changes: p.changes(m.have, m.want), Compared: true,
		Facts: []fact{
			{say("terminal"), m.terminal.Name}, {say("group"), say("ask.from_to", m.terminal.GroupName, m.group.Name)},
			{say("mode"), p.words.word("mode", m.want.Control.Mode) + say("list.comma") + p.words.word("mode.means", m.want.Control.Mode)},
		},
		Hidden: []fact{{"group", m.group.ID}, {"version", strconv.FormatInt(m.want.Version, 10)}},
		Action: at + "/move", Button: say("ask.move.do"), Back: at,
	}
	was, is := m.have.Control.Mode == policy.ModeEnforce, m.want.Control.Mode == policy.ModeEnforce
	switch {
	case was == is || !gated(m.terminal):
	case is:
		body.Warning, body.Why = say("ask.move.shuts"), say("edit.shuts.why")
	default:
		body.Warning, body.Why = say("ask.move.opens"), say("edit.opens.why")
	}
	return body
}

// gated says whether a terminal has a gate that a policy turns; one that has not reported counts as if it had.
func gated(t store.Terminal) bool { return t.Status.Gate != "none" }

// moveTerminal moves it, unless the group's policy is no longer the one that was shown.
func (s *server) moveTerminal(r *request) error {
	m, err := s.moveOf(r)
	if err != nil {
		return err
	}
	if r.PostFormValue("version") != strconv.FormatInt(m.want.Version, 10) {
		return s.ask(r, s.movePage(r, m), "terminals", 409)
	}
	if err := s.DB.MoveTerminal(r.Context(), m.terminal.ID, m.group.ID, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/terminals/"+url.PathEscape(m.terminal.ID))
}

func (s *server) askRetire(r *request) error { return s.showRetire(r, &reasonField{}, 200) }

func (s *server) showRetire(r *request, reason *reasonField, code int) error {
	t, err := s.DB.Terminal(r.Context(), r.PathValue("id"))
	if err == nil && t.Retired {
		err = store.ErrNotFound
	}
	if err != nil {
		return err
	}
	p, at := s.pages[r.lang], "/terminals/"+url.PathEscape(t.ID)
	say := p.words.say
	return s.ask(r, askPage{
		Question: say("ask.retire", t.Name), Warning: say("ask.retire.what"), Why: say("ask.retire.why"),
		Facts: []fact{
			{say("terminal"), t.Name}, {say("group"), t.GroupName}, {say("last_contact"), p.cal.moment(t.LastContact)},
			{say("terminal.unsent"), say("n.items", t.Status.Unsent)},
		},
		Reason: reason, Action: at + "/retire", Button: say("ask.retire.do"), Back: at,
	}, "terminals", code)
}

func (s *server) retireTerminal(r *request) error {
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	switch {
	case reason == "":
		return s.showRetire(r, &reasonField{reason, "ask.reason_missing"}, 422)
	case len([]rune(reason)) > 1000:
		return s.showRetire(r, &reasonField{reason, "violation.reason_long"}, 422)
	}
	if err := s.DB.RetireTerminal(r.Context(), r.PathValue("id"), reason, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/terminals?only=retired")
}

func (s *server) askRevoke(r *request) error {
	g, err := s.DB.Grant(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	p, at := s.pages[r.lang], "/carryout/"+url.PathEscape(g.ID)
	if state := p.grant(g, r.now).State; state != grantRunning && state != grantComing {
		return seeOther(r, at)
	}
	say, what := p.words.say, "grant.medium"
	question, warning, why := "ask.revoke", "ask.revoke.what", "grant.revoke.why"
	if g.Permit != nil {
		question, warning, why, what = "ask.revoke.software", "ask.revoke.software.what", "permit.revoke.why", "permit.software"
	}
	return s.ask(r, askPage{
		Question: say(question), Warning: say(warning), Why: say(why),
		Facts: []fact{
			{say("grant"), g.ID}, {say(what), g.DeviceName}, {say("terminal"), g.TerminalName},
			{say("grant.period"), say("from_until", p.cal.moment(g.From), p.cal.moment(g.Until))}, {say("grant.reason"), g.Reason},
		},
		Action: at + "/revoke", Button: say("grant.revoke"), Back: at,
	}, "carryout", 200)
}
