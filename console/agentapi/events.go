package agentapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

// eventReads is how long a batch may take to arrive.
const eventReads = time.Minute

var errTooLong = errors.New("the body is too long")

// events stores a batch; it answers after the records are on disk.
func (a *API) events(w http.ResponseWriter, r *http.Request, terminal string) {
	if !a.refused.open(terminal, a.Now()) {
		w.Header().Set("Retry-After", "600")
		refuse(w, http.StatusTooManyRequests, "cannot take the batch: too many before it were refused", "see the console's log")
		return
	}
	if !a.turns.enter(terminal) {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusTooManyRequests, "cannot take the batch: others of this terminal are under way", "send one batch after the other")
		return
	}
	defer a.turns.leave(terminal)
	select {
	case a.decode <- struct{}{}:
		defer func() { <-a.decode }()
	case <-r.Context().Done():
		return
	}
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(eventReads)) // a stream without deadlines still has its bound
	req, err := readEvents(http.MaxBytesReader(w, r.Body, wire.MaxBody), r.Header.Get("Content-Encoding"), int(r.ContentLength))
	if err != nil {
		a.refuseBatch(w, terminal, err)
		return
	}
	if !a.flow.take(terminal, req, a.Now()) {
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusTooManyRequests, "cannot store: this terminal has sent very much", "keep the records; they are taken little by little")
		return
	}
	if len(req.Sheets) > 0 && !a.flow.takeSheets(terminal, req, a.Now()) {
		a.Log.Warn().Str("terminal", terminal).Msg("sheets left out: this terminal has sent very much")
		req.Sheets = nil // its records are worth more
	}
	answer, err := a.DB.AddEvents(r.Context(), terminal, req, a.Now())
	switch {
	case errors.Is(err, store.ErrInvalid):
		a.refuseBatch(w, terminal, err)
	case errors.Is(err, store.ErrAltered):
		answer.Want = []string{wire.WantJournal}
		a.answer(w, answer)
	case err != nil:
		a.fail(w, terminal, err)
	default:
		a.answer(w, answer)
	}
}

func (a *API) refuseBatch(w http.ResponseWriter, terminal string, err error) {
	a.refused.count(terminal, a.Now())
	a.Log.Warn().Str("terminal", terminal).Err(err).Msg("batch refused")
	var long *http.MaxBytesError
	if errors.Is(err, errTooLong) || errors.As(err, &long) {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("cannot take a batch of more than %d bytes", wire.MaxBody), "send fewer records at a time")
		return
	}
	refuse(w, http.StatusBadRequest, "cannot take the batch: "+err.Error(), "nothing of it was stored")
}

// readEvents reads a batch, unpacked when it says so, never more than wire.MaxBody.
func readEvents(body io.Reader, encoding string, length int) (req wire.EventsRequest, err error) {
	switch encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return req, fmt.Errorf("cannot unpack: %w", err)
		}
		body, length = z, 0
	default:
		return req, fmt.Errorf("cannot unpack encoding %q", encoding[:min(len(encoding), 20)])
	}
	raw, err := readBounded(body, length)
	if err != nil {
		return req, err
	}
	return decodeEvents(raw)
}

func readBounded(body io.Reader, length int) ([]byte, error) {
	var buf bytes.Buffer
	if length > 0 && length <= wire.MaxBody {
		buf.Grow(length + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(body, wire.MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the body: %w", err)
	}
	if n > wire.MaxBody {
		return nil, errTooLong
	}
	return buf.Bytes(), nil
}

func decodeEvents(raw []byte) (req wire.EventsRequest, err error) {
	if crowded(raw) {
		return req, fmt.Errorf("cannot read the batch: a list in it has more than %d members", maxMembers)
	}
	if err := json.Unmarshal(raw, &req); err != nil {
		return req, fmt.Errorf("cannot read the batch: %w", err)
	}
	if req.Version > wire.Version {
		return req, fmt.Errorf("cannot read protocol version %d, known up to %d; the console must be renewed first", req.Version, wire.Version)
	}
	return req, nil
}
