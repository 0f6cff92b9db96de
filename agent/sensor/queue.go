package sensor

import "sekisho/internal/policy"

// queue holds what the guard has not fetched yet. It keeps at most three events a device, so it cannot
// grow in a storm, and the newest state always wins.
type queue struct {
	items []item
}

type item struct {
	key   string
	event policy.Event
}

func (q *queue) put(key string, ev policy.Event) {
	switch ev.What {
	case policy.EventAttach:
		q.forget(key)
	case policy.EventChange:
		if last := q.last(key); last != nil && last.event.What != policy.EventDetach {
			last.event.Device = ev.Device // not fetched yet: it was never otherwise
			return
		}
	case policy.EventDetach:
		if last := q.last(key); last != nil && last.event.What == policy.EventChange {
			last.event = ev
			return
		}
	}
	q.items = append(q.items, item{key, ev})
}

// forget drops a visit that began and ended before anybody looked; the end of one that was seen stays.
func (q *queue) forget(key string) {
	kept, first := q.items[:0], true
	for _, it := range q.items {
		if it.key != key || first && it.event.What == policy.EventDetach {
			kept = append(kept, it)
		}
		first = first && it.key != key
	}
	clear(q.items[len(kept):])
	q.items = kept
}

func (q *queue) last(key string) *item {
	for i := len(q.items) - 1; i >= 0; i-- {
		if q.items[i].key == key {
			return &q.items[i]
		}
	}
	return nil
}

// next gives the oldest event, and the channel to offer it on: nil, which never accepts, when there is none.
func (q *queue) next(out chan<- policy.Event) (policy.Event, chan<- policy.Event) {
	if len(q.items) == 0 {
		return policy.Event{}, nil
	}
	return q.items[0].event, out
}

func (q *queue) pop() { q.items = q.items[1:] }
