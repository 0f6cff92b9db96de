package agentapi

import (
	"sync"
	"time"

	"sekisho/internal/wire"
)

// What one terminal may add to the database: at once several times what its journal can hold, after that 1.4 GB a day.
const (
	flowBurst = 256 << 20 // bytes
	flowSpeed = 16 << 10  // bytes a second
	rowCost   = 1 << 10   // what a record takes beside its body, and what the console may write down about it
)

// flow bounds what each terminal stores, so that none can fill the disk of all. It bounds abuse, not truth: each replica counts for itself.
type flow struct {
	burst int64

	mu sync.Mutex
	by map[string]level
}

// level is how much of a terminal's burst was used at a time.
type level struct {
	used int64
	at   time.Time
}

// take says whether a batch's records still have room.
func (f *flow) take(terminal string, req wire.EventsRequest, now time.Time) bool {
	cost := int64(0)
	for _, e := range req.Entries {
		cost += int64(len(e.Body)) + rowCost
	}
	return f.spend(terminal, cost, f.burst, now)
}

// takeSheets says whether a batch's sheets have room; half of the burst is for records alone. Reading them costs the same whether they are kept or not.
func (f *flow) takeSheets(terminal string, req wire.EventsRequest, now time.Time) bool {
	cost := int64(0)
	for _, sh := range req.Sheets {
		for _, it := range sh.Set {
			cost += int64(len(it.ID)+len(it.Body)) + rowCost
		}
		for _, id := range sh.Gone {
			cost += int64(len(id)) + rowCost
		}
	}
	return f.spend(terminal, cost, f.burst/2, now)
}

func (f *flow) spend(terminal string, cost, most int64, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string]level{}
	}
	l := f.by[terminal]
	if past := now.Sub(l.at); past > 0 {
		l = level{max(0, l.used-int64(min(past, 24*time.Hour).Seconds()*flowSpeed)), now}
	}
	if cost > 0 && l.used+cost > most {
		return false
	}
	l.used += cost
	f.by[terminal] = l
	return true
}
