package sheet

import (
	"cmp"
	"encoding/json"
	"slices"

	"sekisho/internal/wire"
)

// List is what is true. It never changes: a number has the same item every time, so that only hashes need be kept, and a
// line is written when it is sent.
type List interface {
	Len() int
	Item(n int) wire.Item
}

// Items is a short list.
type Items []wire.Item

// Len is how many there are.
func (i Items) Len() int { return len(i) }

// Item gives one of them.
func (i Items) Item(n int) wire.Item { return i[n] }

// mark is an item's hash, as Mix takes it.
type mark = wire.Hash

func markOf(i wire.Item) mark { return wire.Hash{}.Mix(i) }

// marked is an item without its body.
type marked struct {
	id   string
	mark mark
}

// marks are items by their ids.
type marks []marked

func byID(a, b marked) int { return cmp.Compare(a.id, b.id) }

// MarshalJSON writes them as an object: hashes by id.
func (m marks) MarshalJSON() ([]byte, error) {
	all := make(map[string]mark, len(m))
	for _, i := range m {
		all[i.id] = i.mark
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads such an object.
func (m *marks) UnmarshalJSON(raw []byte) error {
	var all map[string]mark
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	*m = make(marks, 0, len(all))
	for id, mark := range all {
		*m = append(*m, marked{id, mark})
	}
	slices.SortFunc(*m, byID)
	return nil
}

// survey takes the marks of a list, and says which number each item has in it. Items that the wire does not take, or whose id
// another one has, are left out.
func survey(list List) (all marks, at []int32) {
	type found struct {
		marked
		at int32
	}
	lines := make([]found, 0, list.Len())
	for n := range list.Len() {
		if i := list.Item(n); fits(i) && len(lines) < wire.MaxSheetItems {
			lines = append(lines, found{marked{i.ID, markOf(i)}, int32(n)})
		}
	}
	slices.SortStableFunc(lines, func(a, b found) int { return byID(a.marked, b.marked) })
	lines = slices.CompactFunc(lines, func(a, b found) bool { return a.id == b.id })
	all, at = make(marks, len(lines)), make([]int32, len(lines))
	for n, l := range lines {
		all[n], at[n] = l.marked, l.at
	}
	return all, at
}

func fits(i wire.Item) bool {
	return i.ID != "" && len(i.ID) <= wire.MaxItemID && len(i.Body) <= wire.MaxItem && json.Valid(i.Body)
}
