package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// proposalPage is what was seen in a group while it learnt, made into rules that somebody ticks.
type proposalPage struct {
	Group    groupView  `json:"group"`
	Rows     []proposed `json:"proposals"`
	Covered  int        `json:"covered"` // programs that a rule names already
	Seen     int        `json:"seen"`    // programs altogether
	Events   int        `json:"events"`
	From     time.Time  `json:"from,omitzero"` // of the records that were looked at
	Learning bool       `json:"learning"`
	Until    time.Time  `json:"until,omitzero"`
	Over     bool       `json:"over"`
	Problem  string     `json:"problem,omitempty"`
	Draft    bool       `json:"draft"` // there is one; what is taken over goes into it
	Cut      bool       `json:"cut,omitempty"`
}

// proposed is a rule that would allow some of what was seen.
type proposed struct {
	Key       string              `json:"key"` // stands for the match in the form
	Name      string              `json:"name"`
	Match     policy.ProgramMatch `json:"match"`
	Words     string              `json:"words"`
	Way       string              `json:"way"`
	Programs  int                 `json:"programs"`
	Terminals int                 `json:"terminals"`
	Examples  []string            `json:"examples"`
	Weak      bool                `json:"weak"` // it rests on what a program says of itself, or on a place
	on        map[string]bool
}

// learnt is a program that was seen, installed or in use, and where.
type learnt struct {
	program policy.Program
	on      map[string]bool
}

// Bounds of a proposal: it is worked out while somebody waits.
const (
	maxLearnt       = 20_000
	maxLearntEvents = 300_000
	lookBack        = 90 * day
	manyHashes      = 100 // of one rule
)

func (s *server) showProposal(r *request) error {
	body, _, _, err := s.proposal(r)
	if err != nil {
		return err
	}
	return s.renderProposal(r, body, http.StatusOK)
}

func (s *server) renderProposal(r *request, body proposalPage, code int) error {
	return show(s, r, "proposal", body, title("proposal.title", body.Group.Name), section("policy"), status(code))
}

func (s *server) proposal(r *request) (body proposalPage, have store.GroupPolicy, base *policy.Software, err error) {
	if body.Group, err = s.group(r); err != nil {
		return
	}
	if have, base, body.Draft, err = s.baseOf(r, body.Group.ID); err != nil {
		return
	}
	if c := have.Software; c != nil {
		body.Learning, body.Until = c.Mode == policy.ModeLearn, c.LearnUntil
		body.Over = body.Learning && !c.LearnUntil.IsZero() && !r.now.Before(c.LearnUntil)
	}
	seen, err := s.learnt(r, &body)
	body.propose(s.pages[r.lang], base, seen, r.now)
	return body, have, base, err
}

// baseOf is the control that a proposal or a file adds to: the draft, or what is in force.
func (s *server) baseOf(r *request, group string) (have store.GroupPolicy, base *policy.Software, draft bool, err error) {
	if have, err = s.DB.GroupPolicy(r.Context(), group, 0); err != nil {
		return have, nil, false, err
	}
	d, err := s.DB.Draft(r.Context(), group)
	switch {
	case err == nil:
		return have, d.Software, true, nil
	case !errors.Is(err, store.ErrNotFound):
		return have, nil, false, err
	case have.Software != nil:
		return have, have.Software, false, nil
	}
	return have, policy.DefaultSoftware(), false, nil
}

// learnt gathers what is installed in a group and what its records say was there or in use.
func (s *server) learnt(r *request, body *proposalPage) (map[policy.Program]*learnt, error) {
	group, all := body.Group.ID, map[policy.Program]*learnt{}
	note := func(p policy.Program) *learnt {
		k := p.Facts()
		if all[k] == nil && len(all) >= maxLearnt {
			body.Cut = true
			return nil
		}
		if all[k] == nil {
			all[k] = &learnt{k, map[string]bool{}}
		}
		return all[k]
	}
	spreads, cut, err := s.DB.Fleet(r.Context(), group)
	if err != nil {
		return nil, err
	}
	byID, ids := map[int64]*learnt{}, []int64{}
	for _, sp := range spreads {
		if l := note(*sp.Program); l != nil {
			byID[sp.ID], ids = l, append(ids, sp.ID)
		}
	}
	holders, err := s.DB.Holders(r.Context(), ids, group, manyHolders)
	for _, h := range holders {
		byID[h.Program].on[h.Terminal] = true
	}
	body.Cut = body.Cut || cut || len(holders) == manyHolders
	if err != nil {
		return nil, err
	}
	return all, s.inUse(r, body, note)
}

// inUse adds what only records tell of: files that were run and that no installer answers for.
func (s *server) inUse(r *request, body *proposalPage, note func(policy.Program) *learnt) error {
	known := map[string]*learnt{}
	body.From = r.now.Add(-lookBack)
	mine, err := s.DB.Names(r.Context(), body.Group.ID)
	if err != nil {
		return err
	}
	return s.DB.ProgramEvents(r.Context(), func(e store.ProgramEvent) bool {
		if _, ok := mine[e.Terminal]; !ok || e.At.Before(body.From) {
			return true
		}
		body.Events++
		raw := policy.ProgramIn(e.Body)
		l, have := known[string(raw)]
		if !have || raw == nil {
			if p, ok := policy.ReadProgram(e.Body); ok {
				l = note(p)
			}
			if raw != nil && len(known) < maxLearnt {
				known[string(raw)] = l
			}
		}
		if l != nil {
			l.on[e.Terminal] = true
		}
		body.Cut = body.Cut || body.Events >= maxLearntEvents
		return body.Events < maxLearntEvents
	})
}

// propose makes rules of what no rule allows or forbids yet.
func (b *proposalPage) propose(p *pages, base *policy.Software, seen map[policy.Program]*learnt, now time.Time) {
	doc, by := softwarePolicy(b.Group.ID, b.Group.Name, base), map[string]*proposed{}
	for _, l := range sorted(seen) {
		b.Seen++
		if list := listOf(policy.DecideProgram(doc, l.program, now)); list != listUndecided {
			b.Covered++
			continue
		}
		way, value, match, weak := proposalFor(l.program)
		if way == "" {
			continue
		}
		for n := 0; ; n++ { // a name with very many files becomes several rules
			key := way + "\x00" + value + strings.Repeat("\x00", n)
			row := by[key]
			if row == nil {
				row = &proposed{Way: way, Name: value, Match: match, Weak: weak, on: map[string]bool{}}
				by[key] = row
			} else if way == policy.WayHash && !slices.Contains(row.Match.Hash, l.program.Hash) {
				if len(row.Match.Hash) >= manyHashes {
					continue
				}
				row.Match.Hash = append(row.Match.Hash, l.program.Hash)
			}
			row.add(p, l)
			break
		}
	}
	b.Rows = make([]proposed, 0, len(by))
	for _, row := range by {
		row.Key, row.Words, row.Terminals = keyOfMatch(row.Match), p.programMatches(row.Match), len(row.on)
		b.Rows = append(b.Rows, *row)
	}
	slices.SortFunc(b.Rows, func(x, y proposed) int {
		return cmp.Or(cmp.Compare(y.Terminals, x.Terminals), cmp.Compare(y.Programs, x.Programs), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Key, y.Key))
	})
}

func sorted(seen map[policy.Program]*learnt) []*learnt {
	return slices.SortedFunc(maps.Values(seen), func(a, b *learnt) int {
		return cmp.Or(cmp.Compare(a.program.Name, b.program.Name), cmp.Compare(a.program.Version, b.program.Version), cmp.Compare(a.program.Hash, b.program.Hash), cmp.Compare(a.program.Path, b.program.Path))
	})
}

func (row *proposed) add(p *pages, l *learnt) {
	row.Programs++
	maps.Copy(row.on, l.on)
	if word := p.program(l.program); len(row.Examples) < 5 && !slices.Contains(row.Examples, word) {
		row.Examples = append(row.Examples, word)
	}
}

// Ways that only a proposal takes: everything that says it is one publisher's, and everything of one source.
const (
	wayMaker  = "maker"
	wayOrigin = "origin" // everything of one distribution source
)

// proposalFor is the widest description that can be answered for: who signed it, which source checked it, which file it is.
func proposalFor(p policy.Program) (way, value string, m policy.ProgramMatch, weak bool) {
	clear := func(s string) bool { return s != "" && !strings.Contains(s, "*") && len(s) <= 256 }
	single := singlePath(p) != "" || p.SingleHash() != ""
	switch {
	case clear(p.Signer):
		return policy.WaySigner, p.Signer, policy.ProgramMatch{Signer: []string{p.Signer}}, false
	case single && len(p.Hash) == 64:
		return policy.WayHash, p.Name, policy.ProgramMatch{Hash: []string{p.Hash}}, false
	case (p.Source == policy.SourceRepository || p.Source == policy.SourceStore) && clear(p.Origin):
		return wayOrigin, p.Origin, policy.ProgramMatch{Source: []string{p.Source}, Origin: []string{p.Origin}}, false
	case !single && clear(p.Publisher) && clear(p.Name):
		return wayMaker, p.Publisher, policy.ProgramMatch{Publisher: []string{p.Publisher}}, true
	}
	if ways := policy.Ways(p); len(ways) > 0 {
		return ways[0].Key, p.Name + " " + p.Path, ways[0].Match, true
	}
	return "", "", m, false
}

// keyOfMatch stands for a match in a form, so that nothing else is taken over than what was shown.
func keyOfMatch(m policy.ProgramMatch) string {
	b, _ := json.Marshal(m) // a list of words always becomes JSON
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// takeProposal puts the ticked rules into the group's draft.
func (s *server) takeProposal(r *request) error {
	if err := r.ParseForm(); err != nil {
		return errBadForm
	}
	body, have, base, err := s.proposal(r)
	if err != nil {
		return err
	}
	chosen, next := r.PostForm["take"], base
	for _, row := range body.Rows {
		if i := slices.Index(chosen, row.Key); i >= 0 {
			chosen = slices.Delete(chosen, i, i+1)
			next = withRule(next, row.rule(r.by(), s.pages[r.lang].words), false)
		}
	}
	switch {
	case len(r.PostForm["take"]) == 0:
		body.Problem = "proposal.none_chosen"
	case len(chosen) > 0:
		body.Problem = "proposal.moved_on"
	case len(next.Rules) > policy.MaxProgramRules:
		body.Problem = "proposal.too_many"
	default:
		own := *next
		if own.Mode == policy.ModeLearn { // what was learnt is now to be judged by
			own.Mode, own.LearnUntil = policy.ModeAudit, time.Time{}
		}
		return s.keepDraft(r, body.Group.ID, have.Version, &own)
	}
	return s.renderProposal(r, body, http.StatusUnprocessableEntity)
}

func (row proposed) rule(owner string, w words) policy.ProgramRule {
	name := cut(row.Name, 200)
	return policy.ProgramRule{ID: newRuleID(), Match: row.Match, Action: policy.ActionAllow, Owner: owner, Reason: w.say("proposal.reason", row.Programs, row.Terminals),
		Name: policy.Text{JA: "許可: " + name, EN: "Allowed: " + name}}
}
