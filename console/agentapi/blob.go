package agentapi

import (
	"errors"
	"net/http"
	"time"

	"sekisho/console/store"
	"sekisho/internal/bundle"
)

// blobWrites is how long one answer may take; who was cut off asks for the rest.
const blobWrites = 20 * time.Minute

// blob sends a program that the terminal's policy names, or a range of it. Few terminals at a time, one after the other:
// who has to wait is told so and comes again.
func (a *API) blob(w http.ResponseWriter, r *http.Request, terminal string) {
	hash := r.PathValue("hash")
	if !bundle.IsHash(hash) {
		refuse(w, http.StatusNotFound, "cannot answer: this is not a hash", "")
		return
	}
	if !a.fetches.enter(terminal) {
		a.later(w, "cannot send: this terminal is being sent something already")
		return
	}
	defer a.fetches.leave(terminal)
	select {
	case a.blobs <- struct{}{}:
		defer func() { <-a.blobs }()
	default:
		a.later(w, "cannot send now: others are being sent theirs")
		return
	}
	a.sendBlob(w, r, terminal, hash)
}

func (a *API) later(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "30")
	refuse(w, http.StatusTooManyRequests, why, "come again")
}

func (a *API) sendBlob(w http.ResponseWriter, r *http.Request, terminal, hash string) {
	if _, err := a.DB.Blob(r.Context(), terminal, hash); errors.Is(err, store.ErrNotFound) {
		refuse(w, http.StatusNotFound, "cannot send: the policy of this terminal does not name it", "the offer was withdrawn, or there is a newer one")
		return
	} else if err != nil {
		a.fail(w, terminal, err)
		return
	}
	f, err := a.Blobs.Open(hash)
	if err != nil {
		a.fail(w, terminal, err)
		return
	}
	defer f.Close()
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(blobWrites))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+hash+`"`)
	http.ServeContent(w, r, "", time.Time{}, f)
}
