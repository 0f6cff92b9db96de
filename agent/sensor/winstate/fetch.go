package winstate

import (
	"context"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// Fetch reads a place of a probe that only Windows has; ok is false for the others, which are files and commands.
func (e *Eyes) Fetch(ctx context.Context, p policy.Place) (found []Found, ok bool) {
	switch p.Kind {
	case policy.PlaceRegistry:
		return e.Look(p), true
	case policy.PlaceService:
		return []Found{{e.Machine.Service(p.Value), "service " + p.Value}}, true
	case policy.PlaceProcess:
		return []Found{{e.process(p.Value), "process " + p.Value}}, true
	case policy.PlaceWMI:
		return []Found{{e.Property(ctx, p), p.Path + ":" + p.Class + "." + p.Value}}, true
	}
	return nil, false
}

func (e *Eyes) process(name string) policy.Raw {
	running, err := e.Machine.Programs()
	if err != nil {
		return failed(err)
	}
	return policy.Raw{Text: strconv.FormatBool(running[strings.ToLower(name)])}
}
