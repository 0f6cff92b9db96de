package web

import (
	"io"
	"net/http"
	"net/url"
	"slices"
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
