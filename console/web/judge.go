package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// The lists of software as pages name them.
const (
	listForbidden = "forbidden"
	listUndecided = "undecided"
	listReported  = "reported" // a rule names it to be recorded
	listAllowed   = "allowed"
	listUncovered = "uncovered" // the group's policy has no control of software
)

// lists is their order: what needs people first.
var lists = []string{listForbidden, listUndecided, listReported, listAllowed, listUncovered}

// listOf says on which list a judgement puts a program.
func listOf(d policy.Decision) string {
	switch {
	case d.Rule == policy.RuleUncovered:
		return listUncovered
	case d.Rule == policy.RuleUndecided:
		return listUndecided
	case d.Action == policy.ActionBlock:
		return listForbidden
	case d.Action == policy.ActionReport:
		return listReported
	}
	return listAllowed
}

// find is a program in one group, judged by that group's policy.
type find struct {
	store.Spread
	GroupName string
	Decision  *policy.Decision
	List      string
}

// judges remembers judgements of each group's newest policy. It is only a short cut: any replica comes to the same.
type judges struct {
	mu sync.Mutex
	by map[string]*judge
}

// judge judges programs by one version of a group's policy; every distinct program once.
type judge struct {
	version int64
	name    string
	policy  *policy.Policy
	known   map[int64]*policy.Decision // by the program's number, which is never given twice
}

const maxKnown = 300_000 // judgements of one group that are remembered

// judgeOf gives a group's judge by its newest policy.
func (s *server) judgeOf(ctx context.Context, g store.Group) (*judge, error) {
	s.judges.mu.Lock()
	defer s.judges.mu.Unlock()
	if j := s.judges.by[g.ID]; j != nil && j.version == g.Version && j.name == g.Name {
		return j, nil
	}
	have, err := s.DB.GroupPolicy(ctx, g.ID, 0)
	if err != nil {
		return nil, err
	}
	j := newJudge(g, have.Software)
	j.version = have.Version
	if s.judges.by == nil || len(s.judges.by) > 1000 {
		s.judges.by = map[string]*judge{}
	}
	s.judges.by[g.ID] = j
	return j, nil
}

func newJudge(g store.Group, software *policy.Software) *judge {
	return &judge{version: g.Version, name: g.Name, policy: softwarePolicy(g.ID, g.Name, software), known: map[int64]*policy.Decision{}}
}

// softwarePolicy is as much of a terminal's document as judging programs needs.
func softwarePolicy(group, name string, software *policy.Software) *policy.Policy {
	return &policy.Policy{Schema: policy.SchemaSoftware, Group: group, GroupName: name, Software: software, Clauses: policy.DefaultClauses()}
}

// finds judges a fleet's programs by their groups' policies.
func (s *server) finds(ctx context.Context, group string, now time.Time) (list []find, cut bool, err error) {
	spreads, cut, err := s.DB.Fleet(ctx, group)
	if err != nil {
		return nil, false, err
	}
	list, err = s.judged(ctx, spreads, now)
	return list, cut, err
}

// judged judges each by the policy of its group.
func (s *server) judged(ctx context.Context, spreads []store.Spread, now time.Time) ([]find, error) {
	groups, err := s.DB.Groups(ctx)
	if err != nil {
		return nil, err
	}
	by := map[string]*judge{}
	for _, g := range groups {
		if by[g.ID], err = s.judgeOf(ctx, g); err != nil {
			return nil, err
		}
	}
	s.judges.mu.Lock()
	defer s.judges.mu.Unlock()
	list := make([]find, 0, len(spreads))
	for _, sp := range spreads {
		if j := by[sp.Group]; j != nil { // nil: the group was made a moment ago
			list = append(list, j.find(sp, now))
		}
	}
	return list, nil
}

func (j *judge) find(sp store.Spread, now time.Time) find {
	d, ok := j.known[sp.ID]
	if !ok {
		judged := policy.DecideProgram(j.policy, *sp.Program, now)
		d = &judged
		if len(j.known) >= maxKnown {
			clear(j.known)
		}
		j.known[sp.ID] = d
	}
	return find{Spread: sp, GroupName: j.name, Decision: d, List: listOf(*d)}
}

// worst is the list that needs people most.
func worst(a, b string) string {
	if a == "" || b != "" && slices.Index(lists, b) < slices.Index(lists, a) {
		return b
	}
	return a
}
