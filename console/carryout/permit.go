package carryout

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// givePermit gives a software permission on the same way as a medium's: checked, then published in one transaction.
func (o *Office) givePermit(ctx context.Context, g store.Grant, now time.Time) (store.Grant, []policy.Problem, error) {
	prog, terminal, err := o.program(ctx, g)
	if errors.Is(err, store.ErrNotFound) {
		return store.Grant{}, []policy.Problem{problem("program", "もとになる記録またはソフトウェアがありません", "there is no such record or program")}, nil
	}
	if err != nil {
		return store.Grant{}, nil, fmt.Errorf("cannot give permission: %w", err)
	}
	g, problems := o.fillPermit(g, prog, terminal, now)
	if len(problems) > 0 {
		return store.Grant{}, problems, nil
	}
	if g, err = o.DB.PutGrant(ctx, g, now); err != nil {
		return store.Grant{}, nil, fmt.Errorf("cannot give permission: %w", err)
	}
	return g, nil, nil
}

// program is the one that the record is about, or the one in the terminal's list.
func (o *Office) program(ctx context.Context, g store.Grant) (prog policy.Program, terminal string, err error) {
	if g.Event == 0 {
		i, err := o.DB.InstalledItem(ctx, g.Terminal, g.Permit.ID)
		return i.Program, i.Terminal, err
	}
	ev, err := o.DB.Event(ctx, g.Event)
	if err == nil && ev.Record.Software == nil {
		err = store.ErrNotFound
	}
	if err != nil {
		return prog, "", err
	}
	return ev.Record.Software.Program, ev.Terminal, nil
}

func (o *Office) fillPermit(g store.Grant, prog policy.Program, terminal string, now time.Time) (store.Grant, []policy.Problem) {
	g.Reason = strings.TrimSpace(g.Reason)
	g.From, g.Until = g.From.Truncate(time.Millisecond), g.Until.Truncate(time.Millisecond) // as the tables hold it
	if g.From.IsZero() {
		g.From = now.Truncate(time.Millisecond)
	}
	problems := append(checkReason(g.Reason), o.checkWindow(g, now)...)
	if g.Terminal != "" && g.Terminal != terminal {
		problems = append(problems, problem("terminal", "この記録の端末ではありません", "this is not the record's terminal"))
	}
	named := func(w policy.Way) bool { return reflect.DeepEqual(w.Match, g.Permit.Match) }
	if !slices.ContainsFunc(policy.PermitWays(prog), named) {
		problems = append(problems, problem("way", "このファイルだけ、またはこの版だけを指定してください", "name this file alone, or this version alone"))
	}
	permit := *g.Permit
	g.Permit, g.Terminal, g.Approver = &permit, terminal, g.By
	if g.DeviceName = strings.TrimSpace(prog.Name + " " + prog.Version); g.DeviceName == "" {
		g.DeviceName = prog.ID
	}
	return g, problems
}
