package software

import (
	"slices"
	"strings"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

// difference says what happened between two looks at a source (before is nil where there was none), and what is there now. Where not all could be read, what is
// missing counts as still there.
func difference(before map[string]policy.Program, now reading, at time.Time, away bool) (events []policy.ProgramEvent, there []policy.Program) {
	there = unique(now.programs)
	if before == nil { // the first look: what is there is no event
		slices.SortFunc(there, byName)
		return nil, there
	}
	here := make(map[string]bool, len(there))
	event := func(what string, p policy.Program, version string) {
		events = append(events, policy.ProgramEvent{What: what, Program: p, Before: version, SeenAt: at, Away: away, User: p.User})
	}
	for _, p := range there {
		here[p.ID] = true
		b, had := before[p.ID]
		switch {
		case !had && now.first[p.ID]:
		case !had:
			event(policy.ProgramInstalled, p, "")
		case b.Version != p.Version || b.Hash != p.Hash || !b.InstalledAt.Equal(p.InstalledAt):
			event(policy.ProgramChanged, p, b.Version)
		}
	}
	for id, b := range before {
		switch {
		case here[id]:
		case now.torn:
			there = append(there, b)
		default:
			event(policy.ProgramRemoved, b, b.Version)
		}
	}
	slices.SortStableFunc(events, func(a, b policy.ProgramEvent) int { return strings.Compare(a.Program.ID, b.Program.ID) })
	slices.SortFunc(there, byName)
	return events, there
}

func byName(a, b policy.Program) int { return strings.Compare(a.ID, b.ID) }

// unique keeps the first of programs that say they are the same one, and no more than maxPrograms.
func unique(programs []policy.Program) []policy.Program {
	seen := make(map[string]bool, len(programs))
	return slices.DeleteFunc(programs[:min(len(programs), maxPrograms)], func(p policy.Program) bool {
		again := seen[p.ID]
		seen[p.ID] = true
		return again
	})
}

func byID(programs *roll.Roll) map[string]policy.Program {
	out := make(map[string]policy.Program, programs.Len())
	for p := range programs.All() {
		out[p.ID] = p
	}
	return out
}
