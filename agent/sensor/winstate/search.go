package winstate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sekisho/internal/policy"
)

// SearchTime is how long one search for updates may take, SearchMemory what it may hold.
const (
	SearchTime   = 30 * time.Minute
	SearchMemory = 1 << 30
	searchEvery  = 20 * time.Hour
	searchLate   = 3 * 24 * time.Hour
)

// search is what the child found out from Windows Update.
type search struct {
	Missing        []waiting `json:"missing"`
	Installed      string    `json:"installed"` // the last success, as Windows writes it
	RebootRequired bool      `json:"reboot_required"`
	Code           string    `json:"code,omitempty"`
	Fault          string    `json:"fault,omitempty"`
	at             time.Time
}

type waiting struct {
	Title    string `json:"title"`
	KB       string `json:"kb"`
	Released string `json:"released"`
}

// Due says whether it is time to search: once a day when few people work, and at any time when that did not come for three days.
func Due(now, last time.Time) bool {
	since := now.Sub(last)
	if since < searchEvery && since >= 0 {
		return false
	}
	h := now.Hour()
	return h >= 19 || h < 7 || h == 12 || since > searchLate && !last.IsZero()
}

// Search asks Windows Update for what is missing, without a network: from the catalogue file, or from what the machine knows
// already. It takes minutes.
func (e *Eyes) Search(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, SearchTime)
	defer cancel()
	out, err := e.Ask(ctx, askUpdates, e.catalogue())
	e.search = readSearch(out, err)
	e.search.at = e.Now()
}

// catalogue is Microsoft's file where somebody laid it down; Windows itself looks at its signature.
func (e *Eyes) catalogue() string {
	if e.Cab == "" || !e.Machine.Exists(e.Cab) {
		return ""
	}
	return e.Cab
}

// SearchWhenDue begins a search beside the looks when it is time to, and takes up what the last one found.
func (e *Eyes) SearchWhenDue(ctx context.Context) {
	select {
	case e.search = <-e.found:
		e.searching = false
	default:
	}
	if e.searching || !Due(e.Now().Local(), e.search.at) {
		return
	}
	e.searching = true
	ask, now, cab := e.Ask, e.Now, e.catalogue()
	beside, cancel := context.WithTimeout(context.WithoutCancel(ctx), SearchTime) // longer than a look; it ends with this program
	go func() {
		defer cancel()
		out, err := ask(beside, askUpdates, cab)
		s := readSearch(out, err)
		s.at = now()
		e.found <- s
	}()
}

const maxMissing = 500

func readSearch(out []byte, err error) search {
	if err != nil {
		return search{Code: why(err), Fault: err.Error()}
	}
	var s search
	if err := json.Unmarshal(out, &s); err != nil {
		return search{Code: policy.CodeFailed, Fault: "cannot read what Windows Update says: " + err.Error()}
	}
	if len(s.Missing) > maxMissing {
		return search{Code: policy.CodeTooLong, Fault: fmt.Sprintf("cannot use what Windows Update says: more than %d updates", maxMissing)}
	}
	return s
}

// searched says what Windows Update misses. That it misses nothing proves nothing: it may not have been given anything. The
// table of builds is what a terminal passes by.
func (e *Eyes) searched() []policy.Reading {
	last := e.of(policy.FactUpdated, "Windows Update")
	switch {
	case e.search.at.IsZero():
		return []policy.Reading{last.Unread(policy.CodeUnread, "nobody has searched for updates yet")}
	case e.search.Code != "":
		return []policy.Reading{last.Unread(e.search.Code, e.search.Fault)}
	}
	out := []policy.Reading{(policy.Form{Type: policy.TypeTime, Date: policy.DateRFC3339}).Read(last, policy.Raw{Text: e.search.Installed})}
	if len(e.search.Missing) == 0 {
		return out
	}
	o := e.of(policy.FactUpdates, "Windows Update")
	o.Product, o.Label = "windows-update", "Windows Update"
	var list []policy.Entry
	for _, w := range e.search.Missing {
		at, err := time.Parse(time.RFC3339, w.Released)
		if err != nil || at.After(e.Now()) {
			at = time.Time{}
		}
		list = append(list, policy.Entry{Word: policy.OneLine(w.KB + " " + w.Title), At: at})
	}
	return append(out, o.List(list))
}
