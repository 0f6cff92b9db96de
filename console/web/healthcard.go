package web

import (
	"slices"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// healthCard is the first page's short answer.
type healthCard struct {
	Fresh      []freshness `json:"fresh"`
	Violations int         `json:"violations"` // terminals with a check that is one
}

// healthCard is nil while no terminal has said anything of its checks.
func (s *server) healthCard(r *request) (*healthCard, error) {
	fleet, err := s.DB.HealthFleet(r.Context(), "")
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(fleet, func(t store.HealthRow) bool { return t.Reported() }) {
		return nil, nil
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return nil, err
	}
	m := s.newMatrix(s.pages[r.lang], healthView{Area: areaAll, Page: 1}, groups, r.now)
	m.look(fleet)
	var page healthPage
	m.fill(&page)
	for i := range page.Fresh {
		page.Fresh[i].Name = m.p.words.say("health.card." + page.Fresh[i].Check)
	}
	return &healthCard{page.Fresh, m.stages[policy.StageViolation]}, nil
}
