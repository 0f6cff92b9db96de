package web

import (
	"encoding/json"
	"fmt"
	"time"

	"sekisho/internal/wire"
)

// proofFile is one record for an auditor's own machine: with nothing else its hash can be computed again.
type proofFile struct {
	How      string     `json:"how"`
	Console  string     `json:"console_version"`
	Terminal string     `json:"terminal"`
	Name     string     `json:"terminal_name"`
	Outbox   string     `json:"outbox"`
	Seq      uint64     `json:"seq"`
	Before   *wire.Hash `json:"before"` // null: the record before is missing
	Hash     wire.Hash  `json:"hash"`
	Followed bool       `json:"followed_on_receipt"`
	Received time.Time  `json:"received"`
	Body     string     `json:"body"` // the record as it came: as a string, so that no writer of JSON changes a byte
}

const proofHow = "hash = SHA-256( before: 32 bytes | seq: 8 bytes, big-endian | body: the bytes of this string as UTF-8 )"

// proof writes one record to a file.
func (s *server) proof(r *request) error {
	e, err := s.eventOf(r)
	if err != nil {
		return err
	}
	p, err := s.DB.Proof(r.Context(), e.ID)
	if err != nil {
		return err
	}
	file := proofFile{
		How: proofHow, Console: s.Version, Terminal: p.Terminal, Name: p.TerminalName, Outbox: p.Outbox, Seq: p.Seq,
		Hash: p.Hash, Followed: p.ChainOK, Received: p.Received.UTC(), Body: p.Body,
	}
	if p.Known {
		file.Before = &p.Before
	}
	r.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	r.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="record-V-%d.json"`, p.ID))
	out := json.NewEncoder(r.w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(file)
}
