package web

import (
	"errors"
	"net/http"
	"net/url"

	"sekisho/console/store"
)

var (
	errSignIn    = errors.New("sign in first")
	errForbidden = errors.New("this account may not do that")
	errBadForm   = errors.New("cannot read the form")
)

// failure is the page that says what happened, what is kept and what to do.
type failure struct {
	Status int    `json:"status"`
	Word   string `json:"error"` // stable: signin, forbidden, not_found, conflict, bad_form, full, damaged, internal
}

func (s *server) fail(r *request, err error) {
	f := failureOf(err)
	if f.Status >= http.StatusInternalServerError {
		s.Log.Error().Err(err).Str("path", r.Pattern).Msg("cannot answer a request") // an address may hold a secret
	}
	if f.Word == "signin" && !wantsJSON(r.Request) && r.Header.Get("HX-Request") == "" {
		http.Redirect(r.w, r.Request, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if f.Word == "signin" {
		r.w.Header().Set("HX-Redirect", "/login") // a renewing page of a session that ended
	}
	show(s, r, "error", f, title("error."+f.Word), status(f.Status))
}

func failureOf(err error) failure {
	switch {
	case errors.Is(err, errSignIn):
		return failure{http.StatusUnauthorized, "signin"}
	case errors.Is(err, errForbidden):
		return failure{http.StatusForbidden, "forbidden"}
	case errors.Is(err, store.ErrNotFound):
		return failure{http.StatusNotFound, "not_found"}
	case errors.Is(err, store.ErrConflict):
		return failure{http.StatusConflict, "conflict"}
	case errors.Is(err, store.ErrFull):
		return failure{http.StatusInsufficientStorage, "full"}
	case errors.Is(err, store.ErrDamaged):
		return failure{http.StatusInternalServerError, "damaged"}
	case errors.Is(err, errBadForm):
		return failure{http.StatusBadRequest, "bad_form"}
	}
	return failure{http.StatusInternalServerError, "internal"}
}

func (s *server) notFound(*request) error { return store.ErrNotFound }
