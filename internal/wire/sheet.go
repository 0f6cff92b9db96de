package wire

import (
	"crypto/sha256"
	"encoding/json"
)

// Sheet is a step of a named list of facts about the terminal (its programs, its checks) that the console keeps a copy
// of. Each step goes from one state of the list to another, both named by their tags; a long list is several steps, and what
// a step would not fit, the next one brings. From is zero for the first step: what the console had is forgotten. A step that
// does not begin where the console stands changes nothing there, and the answer says where it stands.
type Sheet struct {
	Name string   `json:"name"`           // Sheet… constants
	From Hash     `json:"from,omitzero"`  // tag of the list before
	To   Hash     `json:"to"`             // tag of the list after
	Set  []Item   `json:"set,omitempty"`  // new, or with another body
	Gone []string `json:"gone,omitempty"` // ids
	More bool     `json:"more,omitempty"` // the list is not whole yet: another step follows
}

// Item is one line of a sheet. Its body must come from json.Marshal, like an Entry's.
type Item struct {
	ID   string          `json:"id"`
	Body json.RawMessage `json:"body"`
}

// The sheets.
const (
	SheetSoftware = "software" // items are policy.Program
	SheetHealth   = "health"   // items are policy.CheckResult
)

// Bounds of sheets.
const (
	MaxSheetItems = 20000     // lines of one sheet
	MaxSheetStep  = 2000      // lines of one step
	MaxItem       = 8 << 10   // bytes of a body
	MaxItemID     = 512       // bytes
	MaxStepBytes  = 512 << 10 // bytes of the bodies of one step, but for a single longer one
)

// Mix adds an item to a list's tag, or takes it away: the tag of a list is the sum, bit by bit, of its items' hashes, so
// that both ends work out the new one from what changed. It tells whether two lists are the same; it is no proof of
// anything against who made them.
func (h Hash) Mix(i Item) Hash {
	d := sha256.New()
	d.Write([]byte(i.ID))
	d.Write([]byte{0})
	d.Write(i.Body)
	var sum Hash
	d.Sum(sum[:0])
	for n := range h {
		h[n] ^= sum[n]
	}
	return h
}
