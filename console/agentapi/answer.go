package agentapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

// refuse answers with what cannot be done and what to do.
func refuse(w http.ResponseWriter, status int, cannot, hint string) {
	body, err := json.Marshal(wire.ErrorAnswer{Error: cannot, Hint: hint})
	if err != nil { // two strings always become JSON
		body = nil
	}
	write(w, status, body)
}

// answer writes a value as JSON.
func (a *API) answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.fail(w, "", err)
		return
	}
	write(w, http.StatusOK, body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body) // when the terminal is gone there is nobody to tell
}

// fail answers a fault that is not the terminal's. What went wrong inside is for the log, not for the wire.
func (a *API) fail(w http.ResponseWriter, terminal string, err error) {
	a.Log.Error().Str("terminal", terminal).Err(err).Msg("cannot answer terminal")
	w.Header().Set("Retry-After", "30")
	if errors.Is(err, store.ErrFull) {
		refuse(w, http.StatusInsufficientStorage, "cannot store: the console's disk is full", "keep the records and try again; the administrator must make room")
		return
	}
	refuse(w, http.StatusServiceUnavailable, "cannot answer now", "keep the records and try again")
}
