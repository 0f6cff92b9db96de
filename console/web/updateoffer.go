package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

// askOffer shows which terminals a press would change.
func (s *server) askOffer(r *request) error {
	f, err := s.updateFacts(r)
	if err != nil {
		return err
	}
	return s.showOffer(r, f, r.FormValue("version"), r.FormValue("ring"), http.StatusOK)
}

func (s *server) showOffer(r *request, f updateFacts, version, ring string, code int) error {
	if f.release(version) == nil || ring != store.RingPilot && ring != store.RingAll {
		return store.ErrNotFound
	}
	p := s.pages[r.lang]
	say := p.words.say
	body := askPage{
		Question: say("updates.ask", version, p.words.word("ring", ring)),
		Facts:    append([]fact{{say("updates.version"), version}, {say("updates.ring"), p.words.word("ring", ring)}}, p.outlooks(f, version, ring)...),
		Hidden:   []fact{{"version", version}, {"ring", ring}, {"newest", strconv.FormatInt(f.newest(), 10)}},
		Action:   "/updates/offer", Button: say("updates.offer.do"), Back: "/updates",
	}
	body.Warning, body.Why = say("updates.ask.what"), say("updates.ask.why")
	if ring == store.RingAll && !f.tried(version) {
		body.Warning, body.Why = say("updates.ask.untried"), say("updates.ask.why")
	}
	if code == http.StatusConflict {
		body.Newer = "ask.newer"
	}
	return s.ask(r, body, "terminals", code)
}

// newest is the number of the newest offer: somebody else may offer while one looks at the preview.
func (f updateFacts) newest() int64 {
	if len(f.offers) == 0 {
		return 0
	}
	return f.offers[0].ID
}

// tried says whether a pilot terminal runs this version.
func (f updateFacts) tried(version string) bool {
	return slices.ContainsFunc(f.terminals, func(t store.Terminal) bool { return f.pilots[t.ID] && t.Agent == version })
}

// shownNames is how many terminals a preview names; the rest it counts.
const shownNames = 200

// outlooks names the terminals of a ring by what will become of them.
func (p *pages) outlooks(f updateFacts, version, ring string) (facts []fact) {
	by := map[string][]string{}
	for _, t := range f.terminals {
		if ring == store.RingAll || f.pilots[t.ID] {
			state := f.outlook(t, version)
			by[state] = append(by[state], t.Name)
		}
	}
	for _, state := range []string{updateOffered, wire.UpdateInstalled, updateNewer, updateManual, updateForeign} {
		names := by[state]
		if len(names) == 0 && state != updateOffered {
			continue
		}
		text := p.words.say("terminals.count", len(names))
		if len(names) > 0 {
			text += ": " + strings.Join(names[:min(len(names), shownNames)], p.words.say("list.comma"))
		}
		if rest := len(names) - shownNames; rest > 0 {
			text += p.words.say("updates.and_more", rest)
		}
		facts = append(facts, fact{p.words.say("updates.outlook." + state), text})
	}
	return facts
}

// offerUpdate publishes an offer, unless another was published since the preview.
func (s *server) offerUpdate(r *request) error {
	f, err := s.updateFacts(r)
	if err != nil {
		return err
	}
	version, ring := r.PostFormValue("version"), r.PostFormValue("ring")
	if r.PostFormValue("newest") != strconv.FormatInt(f.newest(), 10) {
		return s.showOffer(r, f, version, ring, http.StatusConflict)
	}
	if _, err := s.DB.PutOffer(r.Context(), ring, version, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/updates?done=offered")
}

func (s *server) askWithdraw(r *request) error {
	o, err := s.standing(r)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	say := p.words.say
	return s.ask(r, askPage{
		Question: say("updates.withdraw.ask", o.Version), Warning: say("updates.withdraw.what"), Why: say("updates.withdraw.why"),
		Facts: []fact{
			{say("updates.version"), o.Version}, {say("updates.ring"), p.words.word("ring", o.Ring)},
			{say("updates.offered"), p.cal.moment(o.At) + say("list.comma") + o.By},
		},
		Action: "/updates/offers/" + strconv.FormatInt(o.ID, 10) + "/withdraw", Button: say("updates.withdraw"), Back: "/updates",
	}, "terminals", http.StatusOK)
}

// standing is the offer of the address, while it stands.
func (s *server) standing(r *request) (store.Offer, error) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	f, err := s.updateFacts(r)
	if err != nil {
		return store.Offer{}, err
	}
	if i := slices.IndexFunc(f.offers, func(o store.Offer) bool { return o.ID == id }); i >= 0 {
		return f.offers[i], nil
	}
	return store.Offer{}, store.ErrNotFound
}

func (s *server) withdrawUpdate(r *request) error {
	o, err := s.standing(r)
	if err != nil {
		return err
	}
	if err := s.DB.WithdrawOffer(r.Context(), o.ID, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/updates?done=withdrawn")
}

// setRing takes one terminal into the pilot ring or out of it.
func (s *server) setRing(r *request) error {
	ring := r.PostFormValue("ring")
	if ring != store.RingPilot && ring != store.RingAll {
		return errBadForm
	}
	if err := s.DB.SetRing(r.Context(), r.PostFormValue("terminal"), ring, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/updates?done=ring")
}
