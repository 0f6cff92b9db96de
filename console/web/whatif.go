package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// dryRunPage is what a draft would have done about the recorded past and what is installed now.
type dryRunPage struct {
	Group     groupView     `json:"group"`
	ID        int64         `json:"id"`
	State     string        `json:"state"` // running, done, cancelled, failed, lost
	Done      int64         `json:"done"`
	Total     int64         `json:"total"`
	Percent   int           `json:"percent"`
	By        string        `json:"by"`
	At        time.Time     `json:"at"`
	Took      string        `json:"took,omitempty"` // seconds
	Answer    *dryRunAnswer `json:"answer,omitempty"`
	Outdated  bool          `json:"outdated"` // the draft is another one now, or gone
	Draft     bool          `json:"draft"`
	Here      string        `json:"here"`
	Terminals []string      `json:"-"`
}

// dryRunAnswer is kept with the run.
type dryRunAnswer struct {
	Made      int64       `json:"made"` // when the draft was, which tells it from another
	From      time.Time   `json:"from"`
	Events    int64       `json:"events"`
	Judged    int64       `json:"judged"`
	Unread    int64       `json:"unread,omitempty"`
	Programs  int         `json:"programs"` // that would have been stopped
	Terminals int         `json:"terminals"`
	Rows      []dryRunRow `json:"stopped"`
	Cut       bool        `json:"cut,omitempty"`
}

type dryRunRow struct {
	Program   policy.Program `json:"program"`
	Rule      string         `json:"rule"`
	RuleName  policy.Text    `json:"rule_name"`
	Events    int64          `json:"events"`
	Installed int            `json:"installed"`
	Last      time.Time      `json:"last,omitzero"`
	Terminals int            `json:"terminals"`
	Names     []string       `json:"names"`
	URL       string         `json:"url"`
}

// Bounds of a dry run.
const (
	dryRunRows  = 1000
	dryRunNames = 200
	dryRunBack  = 400 * day
	dryRunLife  = 10 * time.Minute // a run that takes longer is given up
	dryRunLost  = 30 * time.Second // without progress for so long: the console that ran it is gone
	dryRunTells = 300 * time.Millisecond
	dryRunLooks = 1024 // events between two looks at the clock
)

// beginDryRun begins one and waits for a second, so that a short one is seen at once.
func (s *server) beginDryRun(r *request) error {
	g, _, d, err := s.draftOf(r)
	if err != nil {
		return err
	}
	body, err := json.Marshal(dryRunAnswer{Made: d.At.UnixMilli()})
	if err != nil {
		return err
	}
	run := store.DryRun{Group: g.ID, By: r.by(), Body: string(body), State: store.RunRunning}
	if run.ID, err = s.DB.BeginDryRun(r.Context(), run, r.now); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), dryRunLife)
		defer cancel()
		s.runDry(ctx, run, g, d, r.now)
	}()
	select {
	case <-ended:
	case <-time.After(time.Second):
	case <-r.Context().Done():
	}
	return seeOther(r, dryRunURL(g.ID, run.ID))
}

func dryRunURL(group string, id int64) string {
	return controlURL(group) + "/dryrun/" + strconv.FormatInt(id, 10)
}

// errCancelled ends a dry run that somebody cancelled.
var errCancelled = errors.New("cancelled")

// runDry looks at everything and writes the answer. It tells how far it is, and ends when it was cancelled.
func (s *server) runDry(ctx context.Context, run store.DryRun, g groupView, d store.Draft, now time.Time) {
	answer, err := s.rehearse(ctx, &run, g, d, now)
	switch {
	case errors.Is(err, errCancelled), errors.Is(err, store.ErrConflict):
		return // it is written down already
	case err != nil:
		s.Log.Error().Err(err).Str("group", g.ID).Msg("cannot rehearse a draft")
		run.State = store.RunFailed
	default:
		body, _ := json.Marshal(answer) // numbers and words always become JSON
		run.State, run.Done, run.Body = store.RunDone, run.Total, string(body)
	}
	if err := s.DB.MoveDryRun(context.WithoutCancel(ctx), run, s.Now()); err != nil && !errors.Is(err, store.ErrConflict) {
		s.Log.Error().Err(err).Str("group", g.ID).Msg("cannot write the answer of a rehearsal")
	}
}

func (s *server) rehearse(ctx context.Context, run *store.DryRun, g groupView, d store.Draft, now time.Time) (dryRunAnswer, error) {
	from := now.Add(-dryRunBack)
	mine, err := s.DB.Names(ctx, g.ID)
	if err != nil {
		return dryRunAnswer{}, err
	}
	if run.Total, err = s.DB.CountProgramEvents(ctx); err != nil {
		return dryRunAnswer{}, err
	}
	look := policy.Rehearse(softwarePolicy(g.ID, g.Name, d.Software), now)
	told, failed := s.Now(), error(nil)
	err = s.DB.ProgramEvents(ctx, func(e store.ProgramEvent) bool {
		if name, ok := mine[e.Terminal]; ok && !e.At.Before(from) {
			look.Event(e.Terminal, name, e.At, e.Body)
		}
		if run.Done++; run.Done%dryRunLooks == 0 && s.Now().Sub(told) > dryRunTells {
			told = s.Now()
			failed = s.DB.MoveDryRun(ctx, *run, told) // a conflict: it was cancelled
		}
		return failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return dryRunAnswer{}, err
	}
	if err := s.rehearseInstalled(ctx, look, g.ID); err != nil {
		return dryRunAnswer{}, err
	}
	return answerOf(look.Answer(), d, from), nil
}

func (s *server) rehearseInstalled(ctx context.Context, look *policy.Rehearsal, group string) error {
	spreads, _, err := s.DB.Fleet(ctx, group)
	if err != nil {
		return err
	}
	by, ids := map[int64]policy.Program{}, []int64{}
	for _, sp := range spreads {
		if look.WouldStop(*sp.Program) {
			by[sp.ID], ids = *sp.Program, append(ids, sp.ID)
		}
	}
	holders, err := s.DB.Holders(ctx, ids, group, manyHolders)
	for _, h := range holders {
		look.Installed(by[h.Program], h.Terminal, h.Name)
	}
	return err
}

func answerOf(a policy.Rehearsed, d store.Draft, from time.Time) dryRunAnswer {
	answer := dryRunAnswer{Made: d.At.UnixMilli(), From: from, Events: a.Events, Judged: a.Judged, Unread: a.Unread, Programs: len(a.Stopped),
		Terminals: a.Terminals, Rows: []dryRunRow{}, Cut: a.Cut || len(a.Stopped) > dryRunRows}
	for _, one := range a.Stopped[:min(len(a.Stopped), dryRunRows)] {
		row := dryRunRow{Program: one.Program, Rule: one.Rule, RuleName: one.RuleName, Events: one.Events, Installed: one.Installed, Last: one.Last,
			Terminals: len(one.Terminals), URL: productURL(one.Program), Names: []string{}}
		for _, name := range one.Terminals {
			row.Names = append(row.Names, name)
		}
		slices.Sort(row.Names)
		row.Names = row.Names[:min(len(row.Names), dryRunNames)]
		if one.Installed == 0 {
			row.URL = "" // there is no page of what nobody has
		}
		answer.Rows = append(answer.Rows, row)
	}
	return answer
}

func (s *server) dryRun(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	run, err := s.dryRunOf(r, g)
	if err != nil {
		return err
	}
	body := dryRunPage{Group: g, ID: run.ID, State: run.State, Done: run.Done, Total: run.Total, By: run.By, At: run.At, Here: dryRunURL(g.ID, run.ID)}
	if run.Total > 0 {
		body.Percent = int(min(99, run.Done*100/run.Total))
	}
	if run.State == store.RunRunning && r.now.Sub(run.SeenAt) > dryRunLost {
		body.State = "lost"
	}
	var answer dryRunAnswer
	if err := json.Unmarshal([]byte(run.Body), &answer); err != nil {
		return err
	}
	if run.State == store.RunDone {
		body.Answer, body.Took = &answer, strconv.FormatFloat(max(0, run.SeenAt.Sub(run.At).Seconds()), 'f', 1, 64)
	}
	d, err := s.DB.Draft(r.Context(), g.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	body.Draft = err == nil
	body.Outdated = !body.Draft || d.At.UnixMilli() != answer.Made
	return show(s, r, "dryrun", body, title("dryrun.title", g.Name), section("policy"), status(http.StatusOK))
}

func (s *server) dryRunOf(r *request, g groupView) (store.DryRun, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return store.DryRun{}, store.ErrNotFound
	}
	run, err := s.DB.DryRun(r.Context(), id)
	if err == nil && run.Group != g.ID {
		err = store.ErrNotFound
	}
	return run, err
}

// cancelDryRun ends one: whoever runs it sees that it does not run any more.
func (s *server) cancelDryRun(r *request) error {
	g, err := s.group(r)
	if err != nil {
		return err
	}
	run, err := s.dryRunOf(r, g)
	if err != nil {
		return err
	}
	run.State = store.RunCancelled
	if err := s.DB.MoveDryRun(r.Context(), run, r.now); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return seeOther(r, dryRunURL(g.ID, run.ID))
}
