package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce/applocker"
	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// standing is what the system itself holds against programs: the real one, or a test's.
type standing interface {
	Follow(p *policy.Policy, rules applocker.Policy, now time.Time) (changed bool, err error)
	State(rules applocker.Policy) string
	Wake() error
}

// ruleKeeper keeps the system's own rules about programs as the policy wants them, in a goroutine of its own.
type ruleKeeper struct {
	stand standing
	view  func() *policy.Policy
	now   func() time.Time
	seen  *seenFiles
	say   func(ruling)
	poke  chan struct{}
	last  string

	// What AppLocker's own logs said, for everybody: whether rules of ours stand, and what is wrong that the registry does not show.
	stands atomic.Bool
	wrong  atomic.Pointer[string]
}

// ruling is what came of one turn.
type ruling struct {
	state  string // off, records, stops, failed: …
	fault  string
	unsaid []string
	record *wire.Record // when there is something new
}

// lookAgain is how often it is looked whether the rules still stand.
const lookAgain = 10 * time.Minute

func (k *ruleKeeper) run(ctx context.Context) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-k.poke:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		k.say(k.turn())
	}
}

// turn makes the rules what the policy wants now.
func (k *ruleKeeper) turn() ruling {
	p := k.view()
	rules := applocker.From(p, applocker.Options{Now: k.now(), Seen: k.seen.get})
	changed, err := k.stand.Follow(p, rules, k.now())
	r := ruling{state: k.stand.State(rules)}
	if k.stands.Store(len(rules.Rules) > 0 && err == nil); k.stands.Load() {
		err = errors.Join(k.stand.Wake(), k.heard())
	}
	if err == nil && strings.HasPrefix(r.state, "failed") {
		err = errors.New("cannot keep AppLocker's rules: " + strings.TrimPrefix(r.state, "failed: "))
	}
	if err != nil {
		r.fault = err.Error()
	}
	for _, u := range rules.Unsaid {
		r.unsaid = append(r.unsaid, u.String())
	}
	r.record = k.news(r, changed)
	return r
}

// hear keeps what is wrong by AppLocker's own logs; "" is nothing.
func (k *ruleKeeper) hear(wrong string) {
	if before := k.wrong.Swap(&wrong); before == nil || *before != wrong {
		ring(k.poke)
	}
}

func (k *ruleKeeper) heard() error {
	if w := k.wrong.Load(); w != nil && *w != "" {
		return errors.New(*w)
	}
	return nil
}

// news is a record when the rules changed, or what is wrong with them.
func (k *ruleKeeper) news(r ruling, changed bool) *wire.Record {
	text := r.state + "\x00" + r.fault
	same := text == k.last || k.last == "" && r.fault == "" && !changed
	if k.last = text; same && !changed {
		return nil
	}
	code, note := "applocker_"+r.state, strings.Join(r.unsaid, "; ")
	if r.fault != "" {
		code, note = "applocker_failed", r.fault
	}
	return &wire.Record{Kind: wire.RecordGate, Code: code, Note: cut(note, 1024)}
}

// seenFiles remembers, of files that a rule names by its hash, what AppLocker calls them. It outlives the agent: a rule that stood must
// not fall because the machine was started anew.
type seenFiles struct {
	path  string
	named func(hash string) bool // by a rule of the policy in force
	fresh func()                 // there is a new one
	log   zerolog.Logger

	mu   sync.Mutex
	have map[string]applocker.FileHash
}

const (
	seenFile = "seen.json"
	maxSeen  = 2000
)

func openSeen(state string, log zerolog.Logger, named func(string) bool, fresh func()) *seenFiles {
	s := &seenFiles{path: filepath.Join(state, seenFile), log: log, named: named, fresh: fresh, have: map[string]applocker.FileHash{}}
	info, err := os.Stat(s.path)
	if err != nil || info.Size() > 1<<20 {
		return s // none was seen, or it will be seen again
	}
	if raw, err := os.ReadFile(s.path); err != nil || json.Unmarshal(raw, &s.have) != nil || s.have == nil {
		s.have = map[string]applocker.FileHash{}
	}
	maps.DeleteFunc(s.have, func(hash string, f applocker.FileHash) bool { return !isHash(hash) || !isHash(f.Authenticode) })
	return s
}

func isHash(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func (s *seenFiles) get(hash string) (applocker.FileHash, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.have[hash]
	return f, ok
}

// learn keeps a file that a rule names.
func (s *seenFiles) learn(hash string, f applocker.FileHash) {
	if !s.named(hash) {
		return
	}
	s.mu.Lock()
	_, known := s.have[hash]
	if known || len(s.have) >= maxSeen {
		s.mu.Unlock()
		return
	}
	s.have[hash] = f
	raw, err := json.Marshal(s.have)
	s.mu.Unlock()
	if err == nil {
		err = durable.WriteFile(s.path, raw, 0o600)
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot keep how AppLocker calls a file: after a restart its rule stands only when it was seen again")
	}
	s.fresh()
}

// names says whether a rule or permission of p is about a file with this hash.
func names(p *policy.Policy, hash string) bool {
	if p == nil || p.Software == nil {
		return false
	}
	return slices.ContainsFunc(p.Software.Rules, func(r policy.ProgramRule) bool { return slices.Contains(r.Match.Hash, hash) }) ||
		slices.ContainsFunc(p.Software.Permits, func(t policy.Permit) bool { return slices.Contains(t.Match.Hash, hash) })
}

// stallOf is what p says of programs that cannot be judged in time.
func stallOf(p *policy.Policy) policy.Action {
	if p == nil || p.Software == nil {
		return policy.ActionAllow
	}
	return p.Software.Stall
}

// matchOf gives what a rule of p describes.
func matchOf(p *policy.Policy, rule string) (policy.ProgramMatch, bool) {
	if p == nil || p.Software == nil {
		return policy.ProgramMatch{}, false
	}
	for _, r := range p.Software.Rules {
		if r.ID == rule {
			return r.Match, true
		}
	}
	return policy.ProgramMatch{}, false
}

// onRules is what the guard hears of the system's rules about programs.
func (g *guard) onRules(r ruling) {
	g.post(func() {
		g.setFault(wire.FaultRules, r.fault)
		if !slices.Equal(g.unsaid, r.unsaid) {
			g.unsaid = r.unsaid
			g.pulse()
		}
		if r.record != nil {
			g.Journal(*r.record)
		}
	})
}

// maxUnsaid bounds what a status lists.
const maxUnsaid = 20

func shownUnsaid(list []string) []string {
	if len(list) <= maxUnsaid {
		return slices.Clone(list)
	}
	return append(slices.Clone(list[:maxUnsaid]), fmt.Sprintf("and %d more", len(list)-maxUnsaid))
}
