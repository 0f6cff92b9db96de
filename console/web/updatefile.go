package web

import (
	"errors"
	"io"
	"net/http"
	"time"

	"sekisho/console/store"
	"sekisho/internal/bundle"
	"sekisho/internal/seal"
)

// addUpdate takes a bundle. It is read as it comes, never held whole, and kept when all of it is what was signed.
func (s *server) addUpdate(r *request) error {
	limits := http.NewResponseController(r.w)
	limits.SetReadDeadline(time.Now().Add(uploadLimit))
	limits.SetWriteDeadline(time.Now().Add(uploadLimit + time.Minute))
	parts, err := r.MultipartReader()
	if err != nil {
		return errBadForm
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return s.refuseUpdate(r, bundle.ErrNotBundle)
		}
		if err != nil {
			return errBadForm
		}
		if part.FormName() == "bundle" {
			return s.takeUpdate(r, part)
		}
	}
}

func (s *server) takeUpdate(r *request, from io.Reader) error {
	m, e, err := s.Bundles.Take(from)
	if err == nil {
		err = s.DB.PutUpdate(r.Context(), store.Update{Version: m.Version, Manifest: m, Envelope: e, By: r.by()}, r.now)
	}
	if err != nil {
		return s.refuseUpdate(r, err)
	}
	return seeOther(r, "/updates?done=added")
}

func (s *server) refuseUpdate(r *request, err error) error {
	s.Log.Warn().Err(err).Msg("update bundle refused")
	body := updatesPage{Problems: map[string]string{"bundle": "updates.refused." + bundleWord(err)}, Raw: cut(err.Error(), 300)}
	return s.showUpdates(r, body, http.StatusUnprocessableEntity)
}

func bundleWord(err error) string {
	for _, c := range []struct {
		err  error
		word string
	}{
		{bundle.ErrNoKeys, "no_keys"}, {seal.ErrUnknownKey, "key"}, {seal.ErrBadSignature, "key"}, {bundle.ErrCut, "cut"},
		{bundle.ErrAltered, "altered"}, {bundle.ErrNotBundle, "not"}, {store.ErrConflict, "same_version"}, {store.ErrFull, "full"}, {bundle.ErrFull, "full"},
	} {
		if errors.Is(err, c.err) {
			return c.word
		}
	}
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return "not"
	}
	return "other"
}

func (s *server) removeUpdate(r *request) error {
	if err := s.DB.RemoveUpdate(r.Context(), r.PostFormValue("version"), r.by(), r.now); err != nil {
		return err
	}
	left, err := s.DB.Updates(r.Context())
	if err != nil {
		return err
	}
	keep := make([]bundle.Manifest, 0, len(left))
	for _, u := range left {
		keep = append(keep, u.Manifest)
	}
	if err := s.Bundles.Clear(keep, r.now); err != nil { // they take room, and nothing else
		s.Log.Error().Err(err).Msg("cannot remove the programs of a release")
	}
	return seeOther(r, "/updates?done=removed")
}
