package carryout

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// Compose makes one terminal's policy of its group's policy and its own permissions. What had ended when this revision
// was made is left out.
func Compose(t store.Terminal, g store.GroupPolicy, grants []store.Grant, clauses map[string]policy.Clause, made time.Time) policy.Policy {
	p := policy.Policy{
		Schema: policy.SchemaFirst, Terminal: t.ID, Group: t.Group, GroupName: t.GroupName, Revision: t.Revision,
		IssuedAt: made.UTC(), RemovableMedia: g.Control, Contact: g.Contact, Clauses: clauses,
	}
	for _, r := range grants {
		if r.Permit == nil && r.RevokedAt.IsZero() && r.Until.After(made) {
			p.Grants = append(p.Grants, r.Grant)
		}
	}
	return p
}

// Document composes a terminal's policy as Seal wants it, and gives its revision. It has no clock: as long as the database
// says the same it is the same bytes, so that a terminal and this console can tell whether they have the same.
// A policy that the terminal would refuse is not sent: what is in force there stays in force. An agent that speaks an
// older version of the protocol gets what it can read.
func (o *Office) Document(ctx context.Context, terminal string, version int) (payload []byte, revision int64, err error) {
	from, err := o.DB.TerminalPolicy(ctx, terminal)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot compose policy of terminal %s: %w", terminal, err)
	}
	p := Compose(from.Terminal, from.Policy, from.Grants, policy.DefaultClauses(), from.RevisedAt)
	if version >= wire.VersionUpdate {
		offer(&p, from.Update)
	}
	if version >= wire.VersionSoftware {
		control(&p, from.Policy.Software, from.Grants)
	}
	if version >= wire.VersionHealth {
		checks(&p, from.Policy.Health, from.References, version >= wire.VersionSeparate)
	}
	if problems := p.Validate(); len(problems) > 0 {
		return nil, 0, fmt.Errorf("cannot compose policy of terminal %s: %s: %s", terminal, problems[0].Path, problems[0].Text.EN)
	}
	if payload, err = json.Marshal(p); err != nil {
		return nil, 0, fmt.Errorf("cannot compose policy of terminal %s: %w", terminal, err)
	}
	return payload, p.Revision, nil
}

// offer writes an update into the document. The schema grows only with it: all other documents stay as they were, byte
// for byte, so that no terminal takes them for another console's.
func offer(p *policy.Policy, o *store.Offered) {
	if o == nil {
		return
	}
	e := o.Update.Envelope
	p.Schema = policy.SchemaUpdate
	p.Update = &policy.Update{Offer: o.ID, Version: o.Update.Version, Spread: int64(o.Spread.Seconds()), Key: e.Key, Manifest: e.Payload, Signature: e.Signature}
}

// control writes the control of software into the document, whose schema grows only with it, as with an update. The group's
// own control stays as it is: the terminal's permissions stand in a copy.
func control(p *policy.Policy, s *policy.Software, grants []store.Grant) {
	if s == nil {
		return
	}
	own := *s
	own.Permits = nil
	for _, r := range grants {
		if r.Permit != nil && r.RevokedAt.IsZero() && r.Until.After(p.IssuedAt) && len(own.Permits) < policy.MaxPermits {
			own.Permits = append(own.Permits, *r.Permit)
		}
	}
	p.Schema = policy.SchemaSoftware
	p.Software = &own
}

// checks writes the control of health into the document, with the clauses that its checks stand on and the waivers that
// concern this terminal, and with what results are held against. The schema grows only with it, and once more with a check that has
// adapters disabled.
func checks(p *policy.Policy, h *policy.Health, references []policy.Reference, separate bool) {
	if h == nil {
		return
	}
	own := *h
	own.References = slices.Concat(h.References, references)
	own.References = own.References[:min(len(own.References), policy.MaxReferences)]
	own.Waivers = slices.DeleteFunc(slices.Clone(h.Waivers), func(w policy.Waiver) bool {
		return !slices.Contains(w.Terminals, p.Terminal) && !slices.Contains(w.Group, p.Group)
	})
	for i := range own.Waivers {
		own.Waivers[i].Terminals = slices.DeleteFunc(slices.Clone(own.Waivers[i].Terminals), func(t string) bool { return t != p.Terminal })
	}
	p.Schema, p.Health, p.Clauses = policy.SchemaHealth, &own, maps.Clone(p.Clauses)
	maps.Copy(p.Clauses, policy.HealthClauses())
	if separates(h) {
		parting(p, separate)
	}
}

func separates(h *policy.Health) bool {
	return slices.ContainsFunc(h.Checks, func(c policy.Check) bool { return c.Separate != "" })
}

// parting leaves in the document which checks have adapters disabled, where the agent can read that; an older one reports, as before.
func parting(p *policy.Policy, known bool) {
	if known {
		p.Schema = policy.SchemaSeparate
		return
	}
	p.Health.Checks = slices.Clone(p.Health.Checks)
	for i := range p.Health.Checks {
		p.Health.Checks[i].Separate = ""
	}
}

// Seal signs a document and gives it as it crosses the wire.
func (o *Office) Seal(payload []byte) ([]byte, error) { return json.Marshal(seal.Sign(o.Key, payload)) }
