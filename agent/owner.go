package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"sekisho/internal/durable"
)

// ownerFile says which terminal the journal's numbers belong to.
const ownerFile = "owner.json"

type owner struct {
	Terminal string `json:"terminal"`
}

// own begins a new journal where the one here was sent by another identity of this machine: the console knows nothing of
// its first records under this one and would take them for lost. What is unsent goes along.
func (v *voice) own(terminal string) {
	path := filepath.Join(v.a.config.State, ownerFile)
	before, err := readOwner(path)
	if err == nil && before.Terminal == terminal {
		return
	}
	if _, err := v.a.memory.ready(); err != nil {
		return // said elsewhere; the next start looks again
	}
	if before.Terminal != "" {
		v.a.log.Info().Str("terminal", terminal).Msg("enrolled again, beginning a new journal")
		if err := v.a.memory.Renew(); err != nil {
			v.a.log.Error().Err(err).Msg("cannot begin a new journal")
			return
		}
	}
	raw, err := json.Marshal(owner{terminal})
	if err == nil {
		err = durable.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		v.a.log.Error().Err(err).Msg("cannot note whose the journal is")
	}
}

func readOwner(path string) (o owner, err error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxConfig {
		return o, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(raw, &o)
}
