package agentapi

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
)

// policy hangs until the terminal's policy is another than it has, or until Hold is over.
// A wake-up is only a hint; the revision in the database decides.
func (a *API) policy(w http.ResponseWriter, r *http.Request, terminal string) {
	a.DB.Contact(terminal, a.Now())
	wake, end := a.DB.Watch(terminal) // before the first look, so that no change falls between
	defer end()
	over := time.NewTimer(spread(a.Hold))
	defer over.Stop()
	for have := revisionOf(r.Header.Get("If-None-Match")); ; {
		want, err := a.DB.Revision(r.Context(), terminal)
		if err != nil {
			a.policyFault(w, terminal, err)
			return
		}
		if want != have {
			a.sendPolicy(w, r, terminal)
			return
		}
		look := time.NewTimer(spread(a.Look))
		select {
		case <-wake:
		case <-look.C:
		case <-over.C:
			a.unchanged(w, have)
			return
		case <-a.release:
			a.unchanged(w, have)
			return
		case <-r.Context().Done():
			return
		}
		look.Stop()
	}
}

func (a *API) sendPolicy(w http.ResponseWriter, r *http.Request, terminal string) {
	body, revision, err := a.Documents.Document(r.Context(), terminal, a.Now())
	if err != nil {
		a.policyFault(w, terminal, err)
		return
	}
	w.Header().Set("ETag", tag(revision))
	write(w, http.StatusOK, body)
}

func (a *API) unchanged(w http.ResponseWriter, revision int64) {
	w.Header().Set("ETag", tag(revision))
	w.WriteHeader(http.StatusNotModified)
}

func (a *API) policyFault(w http.ResponseWriter, terminal string, err error) {
	if errors.Is(err, store.ErrNotFound) {
		refuse(w, http.StatusForbidden, "cannot answer: this terminal was retired", "enrol it again if it is in use")
		return
	}
	a.fail(w, terminal, err)
}

func tag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// revisionOf reads an entity tag; what is not ours is a revision that nobody has.
func revisionOf(etag string) int64 {
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// spread takes up to a fifth off, so that terminals do not come all at once.
func spread(d time.Duration) time.Duration { return d - rand.N(d/5+1) }
