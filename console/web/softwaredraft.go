package web

import (
	"net/http"
	"strconv"
	"strings"

	"sekisho/console/store"
)

// askPublish shows what publishing the draft changes, and asks why.
func (s *server) askPublish(r *request) error { return s.showPublish(r, &reasonField{}, http.StatusOK) }

func (s *server) showPublish(r *request, reason *reasonField, code int) error {
	g, have, d, err := s.draftOf(r)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	e, err := s.effect(r, g, have.Software, d.Software)
	if err != nil {
		return err
	}
	say := p.words.say
	body := askPage{
		Question: say("draft.publish.ask", g.Name), Changes: p.softwareChanges(have.Software, d.Software), Compared: true,
		Facts: []fact{
			{say("group"), g.Name}, {say("mode"), say("control.mode_means", p.words.word("software.mode", d.Software.Mode), p.words.word("software.mode.means", d.Software.Mode))},
			{say("terminals.title"), say("n.terminals", g.Terminals)}, {say("draft.newly_forbidden"), say("draft.stops", len(e.Stopped), e.Terminals) + after(say("list.comma"), e.Stopped)},
		},
		Hidden: []fact{{"version", strconv.FormatInt(have.Version, 10)}, {"made", strconv.FormatInt(d.At.UnixMilli(), 10)}},
		Reason: reason, Action: controlURL(g.ID) + "/publish", Button: say("edit.publish"), Back: controlURL(g.ID),
	}
	if code == http.StatusConflict {
		body.Newer = "ask.newer"
	}
	if d.BasedOn != have.Version {
		body.Warning, body.Why = say("draft.stale"), say("draft.stale.why")
	}
	return s.ask(r, body, "policy", code)
}

func after(comma string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, comma)
}

func (s *server) draftOf(r *request) (g groupView, have store.GroupPolicy, d store.Draft, err error) {
	if g, have, err = s.policyOf(r); err != nil {
		return
	}
	d, err = s.DB.Draft(r.Context(), g.ID)
	return
}

// publishDraft publishes what was shown, unless the policy or the draft has changed since.
func (s *server) publishDraft(r *request) error {
	_, have, d, err := s.draftOf(r)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	switch {
	case r.PostFormValue("version") != strconv.FormatInt(have.Version, 10), r.PostFormValue("made") != strconv.FormatInt(d.At.UnixMilli(), 10):
		return s.showPublish(r, &reasonField{Typed: reason}, http.StatusConflict)
	case reason == "":
		return s.showPublish(r, &reasonField{reason, "edit.reason_missing"}, http.StatusUnprocessableEntity)
	case len([]rune(reason)) > 1000:
		return s.showPublish(r, &reasonField{reason, "violation.reason_long"}, http.StatusUnprocessableEntity)
	}
	want := have
	want.Software, want.Reason, want.By = d.Software, reason, r.by()
	return s.publishSoftware(r, want, have.Version)
}

// askDrop asks before work is lost that nobody can bring back.
func (s *server) askDrop(r *request) error {
	g, have, d, err := s.draftOf(r)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	say := p.words.say
	return s.ask(r, askPage{
		Question: say("draft.drop.ask", g.Name), Warning: say("draft.drop.what"), Why: say("draft.drop.why"), Changes: p.softwareChanges(have.Software, d.Software),
		Facts:  []fact{{say("draft.title"), p.cal.moment(d.At) + say("list.comma") + d.By}},
		Action: controlURL(g.ID) + "/drop", Button: say("draft.drop"), Back: controlURL(g.ID),
	}, "policy", http.StatusOK)
}

func (s *server) dropDraft(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	if err := s.DB.PutDraft(r.Context(), store.Draft{Group: g.ID, By: r.by()}, r.now); err != nil {
		return err
	}
	return seeOther(r, controlURL(g.ID))
}
