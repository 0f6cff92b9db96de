package sheet

import (
	"maps"
	"slices"

	"sekisho/internal/wire"
)

// state is what the console has, saved so that an agent that is started again need not send everything.
type state struct {
	Begun bool            `json:"begun,omitempty"` // the console has something
	Tag   wire.Hash       `json:"tag"`
	Items map[string]mark `json:"items,omitempty"` // hash of each item
}

// mark is an item's hash, as Mix takes it.
type mark = wire.Hash

// step is one that is under way, and what the console has when it took it.
type step struct {
	wire.Sheet
	from, after state
}

// sum is the tag that the items make.
func (s state) sum() (tag wire.Hash) {
	for _, m := range s.Items {
		tag = mix(tag, m)
	}
	return tag
}

func mix(tag wire.Hash, m mark) wire.Hash {
	for i := range tag {
		tag[i] ^= m[i]
	}
	return tag
}

// compare finds out whether the console has something else than what is true.
func (s *sheet) compare() {
	s.out = !s.there.Begun || len(s.items) != len(s.there.Items)
	for id, i := range s.items {
		if s.out {
			return
		}
		s.out = s.there.Items[id] != i.mark
	}
}

func markOf(i wire.Item) mark { return wire.Hash{}.Mix(i) }

// step is the next one: what is gone first, then what is new, as much as one step may hold.
func (s *sheet) step(name string) *step {
	st := &step{from: s.there, after: state{Begun: true, Tag: s.there.Tag, Items: maps.Clone(s.there.Items)}}
	if st.after.Items == nil {
		st.after.Items = map[string]mark{}
	}
	st.Name, st.From = name, s.there.Tag
	for _, id := range slices.Sorted(maps.Keys(s.there.Items)) {
		if _, still := s.items[id]; !still {
			st.take(id)
		}
	}
	size := 0
	for _, id := range slices.Sorted(maps.Keys(s.items)) {
		i := s.items[id]
		if s.there.Items[id] == i.mark {
			continue
		}
		if size += len(i.Body); len(st.Set) > 0 && size > wire.MaxStepBytes || len(st.Set)+len(st.Gone) >= wire.MaxSheetStep {
			st.More = true
			break
		}
		st.set(i)
	}
	st.To = st.after.Tag
	return st
}

func (st *step) take(id string) {
	if len(st.Gone) >= wire.MaxSheetStep {
		st.More = true
		return
	}
	st.Gone = append(st.Gone, id)
	st.after.Tag = mix(st.after.Tag, st.after.Items[id])
	delete(st.after.Items, id)
}

func (st *step) set(i line) {
	st.Set = append(st.Set, i.Item)
	if old, had := st.after.Items[i.ID]; had {
		st.after.Tag = mix(st.after.Tag, old)
	}
	st.after.Items[i.ID], st.after.Tag = i.mark, mix(st.after.Tag, i.mark)
}
