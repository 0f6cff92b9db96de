package web

import (
	"sort"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// overviewPage is what an administrator sees first. First is the way in while no terminal has reported.
type overviewPage struct {
	First     bool          `json:"first"`
	Groups    []groupView   `json:"groups,omitempty"`
	Acts      []eventView   `json:"alarms"`
	Behind    int           `json:"behind"`
	Todo      int           `json:"todo"`
	Terminals int           `json:"terminals"`
	Reporting int           `json:"reporting"`
	Silent    int           `json:"silent"`
	Share     string        `json:"share"` // percent, always shown with n/N
	Width     widths        `json:"-"`
	SilentFor int           `json:"silent_after_minutes"`
	SilentIs  string        `json:"-"`
	Oldest    *terminalLine `json:"oldest_contact,omitempty"`
	Open      int           `json:"open"`
	ByKind    []kindCount   `json:"open_by_kind"`
	Ending    []grantView   `json:"ending_today"`
	Running   int           `json:"running"`
	Chart     chart         `json:"days"`
	Chain     int           `json:"chain_faults"`
	Gaps      int           `json:"gaps"`
	Verified  verifiedView  `json:"verified"`
	Health    *healthCard   `json:"health,omitempty"`
}

type kindCount struct {
	Kind string `json:"kind"`
	N    int    `json:"n"`
}

type terminalLine struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	GroupName   string    `json:"group_name"`
	LastContact time.Time `json:"last_contact"`
}

// widths are the parts of a bar in percent, as SVG wants them.
type widths struct{ Pass, FailX, Fail string }

func (s *server) overview(r *request) error {
	o, err := s.DB.Overview(r.Context(), r.now, s.SilentAfter)
	if err != nil {
		return err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return err
	}
	verified, err := s.verified(r)
	if err != nil {
		return err
	}
	p := s.pages[r.lang]
	body := overviewPage{
		First: o.Terminals == 0, Groups: groupViews(groups), Acts: p.events(o.Alarms), Behind: o.Behind,
		Terminals: o.Terminals, Reporting: o.Reporting, Silent: o.Silent, SilentFor: int(s.SilentAfter / time.Minute), SilentIs: p.atLeast(s.SilentAfter),
		ByKind: byKind(o.OpenByKind), Running: len(o.Running), Chart: p.chart(o.Days, r.now),
		Chain: o.ChainFaults, Gaps: o.Gaps, Verified: verified, Ending: p.endingToday(o.Running, r.now),
	}
	body.Todo = len(body.Acts)
	if o.Behind > 0 {
		body.Todo++
	}
	if verified.State == "bad" {
		body.Todo++
	}
	for _, k := range body.ByKind {
		body.Open += k.N
	}
	body.share()
	if t := o.OldestContact; t != nil {
		body.Oldest = &terminalLine{t.ID, t.Name, t.GroupName, t.LastContact}
	}
	if body.Health, err = s.healthCard(r); err != nil {
		return err
	}
	return show(s, r, "overview", body, title("overview.title"), section("overview"))
}

// atLeast says a span in the largest unit that tells it whole.
func (p *pages) atLeast(d time.Duration) string {
	switch {
	case d%day == 0:
		return p.words.say("overview.silent_since", int(d/day))
	case d%time.Hour == 0:
		return p.words.say("overview.silent_hours", int(d/time.Hour))
	}
	return p.words.say("overview.silent_minutes", int(d/time.Minute))
}

func (b *overviewPage) share() {
	if b.Terminals == 0 {
		return
	}
	pass := 100 * float64(b.Reporting) / float64(b.Terminals)
	b.Share = oneDecimal(pass)
	b.Width = widths{Pass: percent(pass), FailX: percent(pass + 0.4), Fail: percent(max(0, 99.6-pass))}
}

func byKind(counts map[string]int) []kindCount {
	list := []kindCount{}
	for k, n := range counts {
		if n > 0 {
			list = append(list, kindCount{k, n})
		}
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].N != list[j].N {
			return list[i].N > list[j].N
		}
		return list[i].Kind < list[j].Kind
	})
	return list
}

func (p *pages) endingToday(running []store.Grant, now time.Time) []grantView {
	tomorrow := p.cal.startOfDay(now).AddDate(0, 0, 1)
	list := []grantView{}
	for _, g := range running {
		if !g.Until.After(tomorrow) {
			list = append(list, p.grant(g, now))
		}
	}
	return list
}

// groupView is a terminal category with its policy.
type groupView struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Version   int64       `json:"version"`
	Mode      policy.Mode `json:"mode"`
	Terminals int         `json:"terminals"`
}

func groupViews(groups []store.Group) []groupView {
	views := make([]groupView, 0, len(groups))
	for _, g := range groups {
		views = append(views, groupView{g.ID, g.Name, g.Version, g.Mode, g.Terminals})
	}
	return views
}
