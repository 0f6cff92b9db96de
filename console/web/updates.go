package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/bundle"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// Bundles keeps the programs of releases. What Take accepts is verified and whole.
type Bundles interface {
	Take(io.Reader) (bundle.Manifest, seal.Envelope, error)
	Clear(keep []bundle.Manifest, now time.Time) error
}

// uploadLimit is how long a bundle may be on its way to us.
const uploadLimit = 15 * time.Minute

// updatesPage shows what can be offered, what is offered to whom, and how far each terminal is.
type updatesPage struct {
	Releases []releaseView     `json:"releases"`
	Rings    []ringView        `json:"rings"`
	Rows     []updateRow       `json:"terminals"`
	States   []choice          `json:"states"`
	Only     string            `json:"only,omitempty"`
	Total    int               `json:"total"`
	Done     string            `json:"done,omitempty"`
	Here     string            `json:"here"`
	Problems map[string]string `json:"problems,omitempty"`
	Raw      string            `json:"raw,omitempty"` // of the problem, for who has to search for it
}

type releaseView struct {
	Version string    `json:"version"`
	MadeAt  time.Time `json:"made_at"`
	AddedAt time.Time `json:"added_at"`
	By      string    `json:"by"`
	Key     string    `json:"key"`
	Systems []string  `json:"systems"`
	Size    int64     `json:"size"`
	Offered []string  `json:"offered"` // rings
}

type ringView struct {
	Ring      string     `json:"ring"`
	Terminals int        `json:"terminals"`
	Installed int        `json:"installed"`
	Undone    int        `json:"undone"` // rolled back, refused or failed
	Offer     *offerView `json:"offer,omitempty"`
}

type offerView struct {
	ID      int64     `json:"id"`
	Version string    `json:"version"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// updateRow is one terminal under the offer that counts for it.
type updateRow struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Group  string    `json:"group"`
	Pilot  bool      `json:"pilot"`
	Agent  string    `json:"agent"`
	Want   string    `json:"want,omitempty"`
	State  string    `json:"state"` // wire.Update… or one of ours below
	Code   string    `json:"code,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// States that only the console knows.
const (
	updateNone    = "none"    // nothing is offered
	updateOffered = "offered" // the terminal has not answered yet
	updateManual  = "manual"  // its agent takes no updates
	updateForeign = "foreign" // the release has no program for it
	updateNewer   = "newer"   // it has a newer version already
)

// updateFacts is everything the page is made of, from the store.
type updateFacts struct {
	releases  []store.Update
	offers    []store.Offer // that stand, newest first
	pilots    map[string]bool
	terminals []store.Terminal
}

func (s *server) updateFacts(r *request) (f updateFacts, err error) {
	if f.releases, err = s.DB.Updates(r.Context()); err != nil {
		return f, err
	}
	all, err := s.DB.Offers(r.Context())
	if err != nil {
		return f, err
	}
	f.offers = slices.DeleteFunc(all, func(o store.Offer) bool { return o.WithdrawnBy != "" })
	if f.pilots, err = s.DB.Pilots(r.Context()); err != nil {
		return f, err
	}
	f.terminals, err = s.DB.Terminals(r.Context(), "", "")
	return f, err
}

// offerFor is the newest offer that is meant for a terminal.
func (f updateFacts) offerFor(t store.Terminal) *store.Offer {
	for i, o := range f.offers {
		if o.Ring == store.RingAll || f.pilots[t.ID] {
			return &f.offers[i]
		}
	}
	return nil
}

func (f updateFacts) release(version string) *store.Update {
	for i, u := range f.releases {
		if u.Version == version {
			return &f.releases[i]
		}
	}
	return nil
}

func (f updateFacts) row(t store.Terminal) updateRow {
	row := updateRow{ID: t.ID, Name: t.Name, Group: t.GroupName, Pilot: f.pilots[t.ID], Agent: t.Agent, State: updateNone}
	o := f.offerFor(t)
	if o == nil {
		return row
	}
	row.Want = o.Version
	row.State, row.At = f.outlook(t, o.Version), o.At
	if u := t.Status.Update; u != nil && u.Offer == o.ID && u.Version == o.Version && row.State != wire.UpdateInstalled {
		row.State, row.Code, row.Reason, row.At = u.State, u.Code, u.Reason, u.At
	}
	return row
}

// outlook is what will become of a release on a terminal, as far as the console can tell.
func (f updateFacts) outlook(t store.Terminal, version string) string {
	c := bundle.Compare(t.Agent, version)
	release := f.release(version)
	switch {
	case t.Agent == version, c == 0 && bundle.IsVersion(t.Agent):
		return wire.UpdateInstalled
	case c > 0:
		return updateNewer
	case !t.Status.Updates:
		return updateManual
	case release == nil:
		return updateOffered
	}
	if _, ok := release.Manifest.For(t.OS, t.Arch); !ok {
		return updateForeign
	}
	return updateOffered
}

// undone says that somebody has to look.
func undone(state string) bool {
	return state == wire.UpdateRolledBack || state == wire.UpdateRefused || state == wire.UpdateFailed
}

func (s *server) updates(r *request) error {
	body := updatesPage{Done: updateDone(r.URL.Query().Get("done"))}
	return s.showUpdates(r, body, http.StatusOK)
}

func updateDone(word string) string {
	if slices.Contains([]string{"added", "offered", "withdrawn", "removed", "ring"}, word) {
		return "updates.done." + word
	}
	return ""
}

func (s *server) showUpdates(r *request, body updatesPage, code int) error {
	f, err := s.updateFacts(r)
	if err != nil {
		return err
	}
	body.Only = r.URL.Query().Get("only")
	body.fill(f, s.pages[r.lang].words)
	return show(s, r, "updates", body, title("updates.title"), section("terminals"), status(code))
}

// shownRows is how many terminals the page lists; the states narrow it.
const shownRows = 500

func (b *updatesPage) fill(f updateFacts, w words) {
	counts := map[string]int{}
	b.Rows, b.Releases = []updateRow{}, []releaseView{}
	var rows []updateRow
	for _, t := range f.terminals {
		row := f.row(t)
		counts[row.State]++
		rows = append(rows, row)
		if len(b.Rows) < shownRows && (b.Only == "" || b.Only == row.State || b.Only == "pilot" && row.Pilot) {
			b.Rows = append(b.Rows, row)
		}
	}
	b.Total = len(rows)
	b.rings(f, rows)
	for _, u := range f.releases {
		b.Releases = append(b.Releases, releaseOf(u, f.offers))
	}
	b.chips(counts, len(f.pilots), w)
}

func releaseOf(u store.Update, offers []store.Offer) releaseView {
	v := releaseView{Version: u.Version, MadeAt: u.Manifest.MadeAt, AddedAt: u.AddedAt, By: u.By, Key: u.Envelope.Key, Offered: []string{}}
	for _, p := range u.Manifest.Programs {
		v.Systems, v.Size = append(v.Systems, p.OS+"/"+p.Arch), v.Size+p.Size
	}
	for _, o := range offers {
		if o.Version == u.Version {
			v.Offered = append(v.Offered, o.Ring)
		}
	}
	return v
}

func (b *updatesPage) rings(f updateFacts, rows []updateRow) {
	for _, ring := range []string{store.RingPilot, store.RingAll} {
		v := ringView{Ring: ring}
		for _, o := range f.offers {
			if o.Ring == ring {
				v.Offer = &offerView{o.ID, o.Version, o.By, o.At}
				break
			}
		}
		for _, row := range rows {
			v.count(row)
		}
		b.Rings = append(b.Rings, v)
	}
}

func (v *ringView) count(row updateRow) {
	if v.Ring == store.RingPilot && !row.Pilot {
		return
	}
	v.Terminals++
	switch {
	case row.State == wire.UpdateInstalled:
		v.Installed++
	case undone(row.State):
		v.Undone++
	}
}

func (b *updatesPage) chips(counts map[string]int, pilots int, w words) {
	b.Here = "/updates"
	if b.Only != "" {
		b.Here += "?only=" + url.QueryEscape(b.Only)
	}
	chip := func(only, word string, n int) {
		c := choice{Word: word, N: n, On: only == b.Only, URL: "/updates?only=" + only}
		if c.On {
			c.URL = "/updates"
		}
		if n > 0 || c.On {
			b.States = append(b.States, c)
		}
	}
	chip("pilot", w.say("ring.pilot"), pilots)
	for _, state := range []string{wire.UpdateRolledBack, wire.UpdateRefused, wire.UpdateFailed, updateOffered, wire.UpdateWaiting, wire.UpdateDownloading,
		wire.UpdateInstalling, wire.UpdateInstalled, updateNewer, updateManual, updateForeign} {
		chip(state, w.word("update", state), counts[state])
	}
}

// addUpdate takes a bundle. It is read as it comes, never held whole, and kept when all of it is what was signed.
func (s *server) addUpdate(r *request) error {
	limits := http.NewResponseController(r.w)
	limits.SetReadDeadline(time.Now().Add(uploadLimit))
	limits.SetWriteDeadline(time.Now().Add(uploadLimit + time.Minute))
	parts, err := r.MultipartReader()
	if err != nil {
		return errBadForm
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return s.refuseUpdate(r, bundle.ErrNotBundle)
		}
		if err != nil {
			return errBadForm
		}
		if part.FormName() == "bundle" {
			return s.takeUpdate(r, part)
		}
	}
}

func (s *server) takeUpdate(r *request, from io.Reader) error {
	m, e, err := s.Bundles.Take(from)
	if err == nil {
		err = s.DB.PutUpdate(r.Context(), store.Update{Version: m.Version, Manifest: m, Envelope: e, By: r.by()}, r.now)
	}
	if err != nil {
		return s.refuseUpdate(r, err)
	}
	return seeOther(r, "/updates?done=added")
}

func (s *server) refuseUpdate(r *request, err error) error {
	s.Log.Warn().Err(err).Msg("update bundle refused")
	body := updatesPage{Problems: map[string]string{"bundle": "updates.refused." + bundleWord(err)}, Raw: cut(err.Error(), 300)}
	return s.showUpdates(r, body, http.StatusUnprocessableEntity)
}

func bundleWord(err error) string {
	for _, c := range []struct {
		err  error
		word string
	}{
		{bundle.ErrNoKeys, "no_keys"}, {seal.ErrUnknownKey, "key"}, {seal.ErrBadSignature, "key"}, {bundle.ErrCut, "cut"},
		{bundle.ErrAltered, "altered"}, {bundle.ErrNotBundle, "not"}, {store.ErrConflict, "same_version"}, {store.ErrFull, "full"}, {bundle.ErrFull, "full"},
	} {
		if errors.Is(err, c.err) {
			return c.word
		}
	}
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return "not"
	}
	return "other"
}

func (s *server) removeUpdate(r *request) error {
	if err := s.DB.RemoveUpdate(r.Context(), r.PostFormValue("version"), r.by(), r.now); err != nil {
		return err
	}
	left, err := s.DB.Updates(r.Context())
	if err != nil {
		return err
	}
	keep := make([]bundle.Manifest, 0, len(left))
	for _, u := range left {
		keep = append(keep, u.Manifest)
	}
	if err := s.Bundles.Clear(keep, r.now); err != nil { // they take room, and nothing else
		s.Log.Error().Err(err).Msg("cannot remove the programs of a release")
	}
	return seeOther(r, "/updates?done=removed")
}

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
