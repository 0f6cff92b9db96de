package main

import (
	"sync"

	"sekisho/agent/outbox"
	"sekisho/internal/wire"
)

// memory is the outbox, or the wish for one: a terminal whose disk cannot be read or written is guarded all the same.
// Whoever appends tries to open it; until that succeeds there is nothing to send.
type memory struct {
	open   func() (*outbox.Outbox, error)
	opened chan struct{} // rings once

	mu  sync.Mutex
	box *outbox.Outbox // nil until it could be opened
}

func newMemory(open func() (*outbox.Outbox, error)) *memory {
	return &memory{open: open, opened: make(chan struct{}, 1)}
}

// ready opens the outbox where that has not happened yet.
func (m *memory) ready() (*outbox.Outbox, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.box != nil {
		return m.box, nil
	}
	box, err := m.open()
	if err == nil {
		m.box = box
		m.opened <- struct{}{}
	}
	return box, err
}

func (m *memory) have() *outbox.Outbox {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.box
}

func (m *memory) Append(bodies ...[]byte) (uint64, error) {
	box, err := m.ready()
	if err != nil {
		return 0, err
	}
	return box.Append(bodies...)
}

func (m *memory) Next(most int) (wire.EventsRequest, error) {
	if box := m.have(); box != nil {
		return box.Next(most)
	}
	return wire.EventsRequest{Version: wire.Version}, nil
}

func (m *memory) Drop(acked uint64) error {
	if box := m.have(); box != nil {
		return box.Drop(acked)
	}
	return nil
}

func (m *memory) Renew() error {
	if box := m.have(); box != nil {
		return box.Renew()
	}
	return nil
}

func (m *memory) Wake() <-chan struct{} {
	if box := m.have(); box != nil {
		return box.Wake()
	}
	return m.opened
}

func (m *memory) Len() uint64 {
	if box := m.have(); box != nil {
		return box.Len()
	}
	return 0
}

func (m *memory) Close() error {
	if box := m.have(); box != nil {
		return box.Close()
	}
	return nil
}
