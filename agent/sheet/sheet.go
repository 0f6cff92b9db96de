// Package sheet keeps lists of facts about the terminal (its programs, its checks) in step with the copies that the console
// has: it works out the smallest steps from what the console has confirmed to what is true now. It never looks at a fact
// itself and has no network.
package sheet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/durable"
	"sekisho/internal/wire"
)

// How long a list rests after the console did not take a step: a console that knows no sheets ignores them, and one that
// says again and again that it stands elsewhere must not be sent the whole list without end.
const (
	restFirst = time.Minute
	restLast  = 6 * time.Hour
)

// askEvery is how often the console is asked where it stands although nothing has changed, by a step that leads nowhere: it
// may have been restored from a backup. It is asked once after every start too.
const askEvery = 24 * time.Hour

// Keeper keeps the lists. All its methods may be called by anybody.
type Keeper struct {
	dir  string
	now  func() time.Time // a clock that only measures how long something rests
	log  zerolog.Logger
	wake chan struct{}

	mu     sync.Mutex // guards what follows
	sheets map[string]*sheet
}

// sheet is one list.
type sheet struct {
	given bool          // there was a Put since the start; before that nothing is known and nothing is sent
	list  List          // what is true now
	marks marks         // its items
	at    []int32       // their numbers in the list
	out   bool          // the console has something else
	there state         // what the console has confirmed
	sent  *step         // what it has been sent and has not answered
	rest  time.Duration // how long it rests after the next refusal; 0: the last step was taken
	until time.Time     // it rests until then
	ask   time.Time     // when the console is asked where it stands
}

// Open reads what the console has confirmed to the agent before this one. What cannot be read is sent anew.
func Open(dir string, now func() time.Time, log zerolog.Logger) *Keeper {
	k := &Keeper{dir: dir, now: now, log: log, wake: make(chan struct{}, 1), sheets: map[string]*sheet{}}
	for _, name := range []string{wire.SheetSoftware, wire.SheetHealth} {
		s := &sheet{}
		if err := k.recall(name, &s.there); err != nil {
			log.Warn().Err(err).Msg("a list is sent to the console from its beginning")
			s.there = state{}
		}
		k.sheets[name] = s
	}
	return k
}

func (k *Keeper) file(name string) string { return filepath.Join(k.dir, "sheet-"+name+".json") }

func (k *Keeper) recall(name string, into *state) error {
	raw, err := durable.ReadFile(k.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err == nil && into.sum() != into.Tag {
		err = errors.New("its items do not make its tag")
	}
	if err != nil {
		return fmt.Errorf("cannot read what the console has confirmed: %w", err)
	}
	return nil
}

// Put says what is true now; it replaces what was. Items beyond the bounds of the wire are left out, and the error says so.
func (k *Keeper) Put(name string, list List) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.sheets[name]
	if s == nil {
		return fmt.Errorf("cannot keep the list %q: nobody reads it", name)
	}
	s.list, s.given = list, true
	s.marks, s.at = survey(list)
	if s.compare(); s.out {
		k.ring()
	}
	if left := list.Len() - len(s.marks); left > 0 {
		return fmt.Errorf("cannot show the console %d of %d lines of the list %q: too long, too many or doubled", left, list.Len(), name)
	}
	return nil
}

func (k *Keeper) ring() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Wake tells when there may be something to send.
func (k *Keeper) Wake() <-chan struct{} { return k.wake }

// Next gives the next step of each list that is not in step and does not rest. Until it is answered, the same is given again:
// when only the answer was lost, the console stands where it leads to.
func (k *Keeper) Next() []wire.Sheet {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []wire.Sheet
	for _, name := range slices.Sorted(maps.Keys(k.sheets)) {
		s := k.sheets[name]
		if !s.given || k.now().Before(s.until) || s.sent == nil && !s.out && k.now().Before(s.ask) {
			continue
		}
		if s.sent == nil {
			s.sent = s.step(name)
		}
		out = append(out, s.sent.Sheet)
	}
	return out
}

// Answered takes what the console says to the steps that it was sent; more says that another step may follow at once.
func (k *Keeper) Answered(tags map[string]wire.Hash) (more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, s := range k.sheets {
		if s.sent == nil {
			continue
		}
		st := s.sent
		s.sent = nil
		switch tag, said := tags[name]; {
		case said && tag == st.To:
			if st.From != st.To || !st.from.Begun {
				s.there = st.after
				k.note(name, s)
			}
			s.rest, s.ask = 0, k.now().Add(askEvery)
		case said:
			s.there = state{} // it stands elsewhere: from the beginning
			k.note(name, s)
			if s.rest > 0 { // the first time is no fault, a console that was restored from a backup does so
				s.until = k.now().Add(s.rest)
			}
			s.tire()
		default: // it has no room for it now, or does not keep this list
			s.tire()
			s.until = k.now().Add(s.rest)
		}
		s.compare()
		more = more || s.out && !k.now().Before(s.until)
	}
	return more
}

// tire makes the next rest longer.
func (s *sheet) tire() { s.rest = min(max(restFirst, 4*s.rest), restLast) }

// Refused notes that the console did not take a request with steps in it: the records that wait must not wait for them.
func (k *Keeper) Refused() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.sheets {
		if s.sent != nil {
			s.tire()
			s.sent, s.until = nil, k.now().Add(s.rest)
		}
	}
}

// note saves what the console has confirmed. Where that fails, an agent that is started again sends more than it must.
func (k *Keeper) note(name string, s *sheet) {
	raw, err := json.Marshal(s.there)
	if err == nil {
		err = durable.WriteFile(k.file(name), raw, 0o600)
	}
	if err != nil {
		k.log.Error().Err(err).Msg("cannot note what the console has confirmed")
	}
}

// Rest is how long until there may be something to send without a wake; 0 is never.
func (k *Keeper) Rest() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	var least time.Duration
	for _, s := range k.sheets {
		if !s.given {
			continue
		}
		at := s.until
		if !s.out && s.ask.After(at) {
			at = s.ask
		}
		if left := at.Sub(k.now()); left > 0 && (least == 0 || left < least) {
			least = left
		}
	}
	return least
}
