package sheet

import (
	"slices"

	"sekisho/internal/wire"
)

// state is what the console has, saved so that an agent that is started again need not send everything.
type state struct {
	Begun bool      `json:"begun,omitempty"` // the console has something
	Tag   wire.Hash `json:"tag"`
	Items marks     `json:"items,omitempty"`
}

// step is one that is under way, and what the console has when it took it.
type step struct {
	wire.Sheet
	from, after state
}

// sum is the tag that the items make.
func (s state) sum() (tag wire.Hash) {
	for _, m := range s.Items {
		tag = mix(tag, m.mark)
	}
	return tag
}

func mix(tag wire.Hash, m mark) wire.Hash {
	for i := range tag {
		tag[i] ^= m[i]
	}
	return tag
}

// compare finds out whether the console has something else than what is true. What is the same is kept once.
func (s *sheet) compare() {
	same := slices.Equal(s.marks, s.there.Items)
	if s.out = !s.there.Begun || !same; same {
		s.there.Items = s.marks
	}
}

// step is the next one: what is gone first, then what is new, as much as one step may hold.
func (s *sheet) step(name string) *step {
	w := walk{sheet: s, st: &step{from: s.there, after: state{Begun: true, Tag: s.there.Tag}}}
	w.st.Name, w.st.From = name, s.there.Tag
	s.both(w.gone)
	w.left = len(w.st.Gone)
	s.both(w.next)
	w.st.To = w.st.after.Tag
	if !w.st.More {
		w.st.after.Items = s.marks
	}
	return w.st
}

// both goes through what the console has and what is true, by id. before is nil for what it does not have; now is a number
// in marks, -1 for what is not true any more.
func (s *sheet) both(each func(before *marked, now int)) {
	there, n := s.there.Items, 0
	for i := range there {
		for ; n < len(s.marks) && s.marks[n].id < there[i].id; n++ {
			each(nil, n)
		}
		if n < len(s.marks) && s.marks[n].id == there[i].id {
			each(&there[i], n)
			n++
		} else {
			each(&there[i], -1)
		}
	}
	for ; n < len(s.marks); n++ {
		each(nil, n)
	}
}

// walk makes a step.
type walk struct {
	*sheet
	st   *step
	size int  // of the bodies
	full bool // nothing more is set
	left int  // how many of those that are gone come yet
}

// gone takes away what is not true any more.
func (w *walk) gone(before *marked, now int) {
	switch {
	case now >= 0:
	case len(w.st.Gone) >= wire.MaxSheetStep:
		w.st.More = true
	default:
		w.st.Gone = append(w.st.Gone, before.id)
		w.st.after.Tag = mix(w.st.after.Tag, before.mark)
	}
}

// next writes down what the console has afterwards, and sets what is new.
func (w *walk) next(before *marked, now int) {
	switch {
	case now < 0 && w.left > 0:
		w.left-- // the first that are gone are those that the step takes away
	case now < 0 || before != nil && before.mark == w.marks[now].mark:
		w.st.after.Items = append(w.st.after.Items, *before)
	case w.set(now):
		if before != nil {
			w.st.after.Tag = mix(w.st.after.Tag, before.mark)
		}
		w.st.after.Tag = mix(w.st.after.Tag, w.marks[now].mark)
		w.st.after.Items = append(w.st.after.Items, w.marks[now])
	case before != nil:
		w.st.after.Items = append(w.st.after.Items, *before)
	}
}

// set puts an item into the step, when there is room.
func (w *walk) set(now int) bool {
	if w.full {
		return false
	}
	i := w.list.Item(int(w.at[now]))
	w.size += len(i.Body)
	if len(w.st.Set) > 0 && w.size > wire.MaxStepBytes || len(w.st.Set)+len(w.st.Gone) >= wire.MaxSheetStep {
		w.full, w.st.More = true, true
		return false
	}
	w.st.Set = append(w.st.Set, i)
	return true
}
