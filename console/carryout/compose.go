package carryout

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
)

// Compose makes one terminal's policy of its group's policy and its own permissions. What has ended by now is left out.
func Compose(t store.Terminal, g store.GroupPolicy, grants []store.Grant, clauses map[string]policy.Clause, now time.Time) policy.Policy {
	p := policy.Policy{
		Schema: policy.Schema, Terminal: t.ID, Group: t.Group, GroupName: t.GroupName, Revision: t.Revision,
		IssuedAt: now.UTC(), RemovableMedia: g.Control, Contact: g.Contact, Clauses: clauses,
	}
	for _, r := range grants {
		if r.RevokedAt.IsZero() && r.Until.After(now) {
			p.Grants = append(p.Grants, r.Grant)
		}
	}
	return p
}

// Document gives a terminal's signed policy as it crosses the wire, and its revision.
// A policy that the terminal would refuse is not sent: what is in force there stays in force.
func (o *Office) Document(ctx context.Context, terminal string, now time.Time) (body []byte, revision int64, err error) {
	from, err := o.DB.TerminalPolicy(ctx, terminal, now)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot compose policy of terminal %s: %w", terminal, err)
	}
	p := Compose(from.Terminal, from.Policy, from.Grants, policy.DefaultClauses(), now)
	if problems := p.Validate(); len(problems) > 0 {
		return nil, 0, fmt.Errorf("cannot compose policy of terminal %s: %s: %s", terminal, problems[0].Path, problems[0].Text.EN)
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot compose policy of terminal %s: %w", terminal, err)
	}
	body, err = json.Marshal(seal.Sign(o.Key, payload))
	return body, p.Revision, err
}
