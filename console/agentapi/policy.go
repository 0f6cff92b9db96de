package agentapi

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

// policy hangs until the terminal's policy is another than it has, or until Hold is over.
// A wake-up is only a hint; the revision in the database decides. The document is composed when the request comes and
// when the revision is another one, not at every look.
func (a *API) policy(w http.ResponseWriter, r *http.Request, terminal string) {
	if !a.hangs.enter(terminal) {
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusTooManyRequests, "cannot answer: too many requests of this terminal are hanging", "ask once, and wait for the answer")
		return
	}
	defer a.hangs.leave(terminal)
	a.DB.Contact(terminal, a.Now())
	wake, end := a.DB.Watch(terminal) // before the first look, so that no change falls between
	defer end()
	over := time.NewTimer(spread(a.Hold))
	defer over.Stop()
	has := wire.ParsePolicyTag(r.Header.Get("If-None-Match"))
	version := versionOf(r)
	for seen := int64(-1); ; {
		want, err := a.DB.Revision(r.Context(), terminal)
		if err == nil && want != seen {
			var d document
			if d, err = a.current(r.Context(), terminal, version, has); err == nil && !d.known(has) {
				a.sendPolicy(w, terminal, d)
				return
			}
			seen = d.tag.Revision
		}
		if err != nil {
			a.policyFault(w, terminal, err)
			return
		}
		look := time.NewTimer(spread(a.Look))
		select {
		case <-wake:
		case <-look.C:
		case <-over.C:
			unchanged(w, has)
			return
		case <-a.release:
			unchanged(w, has)
			return
		case <-r.Context().Done():
			return
		}
		look.Stop()
	}
}

// document is a terminal's policy, not signed yet.
type document struct {
	payload []byte
	tag     wire.PolicyTag
}

// known says that a terminal has it. One that does not say the content is believed the number.
func (d document) known(has wire.PolicyTag) bool {
	return d.tag == has || has.Digest == "" && has.Revision == d.tag.Revision
}

// current composes what shall be in force. A terminal that has a revision which this database did not give, or gave to
// another content, would refuse all changes or never see them: its revision is raised above the one it has.
func (a *API) current(ctx context.Context, terminal string, version int, has wire.PolicyTag) (document, error) {
	d, err := a.compose(ctx, terminal, version)
	if err != nil || d.known(has) || has.Revision < d.tag.Revision {
		return d, err
	}
	if !a.outruns.open(terminal, a.Now()) {
		return d, errOutrun
	}
	a.outruns.count(terminal, a.Now())
	a.Log.Warn().Str("terminal", terminal).Int64("revision", d.tag.Revision).Stringer("has", has).
		Msg("terminal has a policy that this database did not give: was it restored from a backup?")
	if err := a.DB.Outrun(ctx, terminal, has, a.Now()); err != nil {
		return d, err
	}
	return a.compose(ctx, terminal, version)
}

func (a *API) compose(ctx context.Context, terminal string, version int) (document, error) {
	payload, revision, err := a.Documents.Document(ctx, terminal, version)
	return document{payload, wire.TagOf(revision, payload)}, err
}

// versionOf is the protocol's version that a terminal speaks; the first agents are those that do not say it.
func versionOf(r *http.Request) int {
	if n, err := strconv.Atoi(r.Header.Get(wire.HeaderVersion)); err == nil && n > 0 {
		return n
	}
	return 1
}

func (a *API) sendPolicy(w http.ResponseWriter, terminal string, d document) {
	body, err := a.Documents.Seal(d.payload)
	if err != nil {
		a.policyFault(w, terminal, err)
		return
	}
	w.Header().Set("ETag", d.tag.String())
	write(w, http.StatusOK, body)
}

func unchanged(w http.ResponseWriter, has wire.PolicyTag) {
	w.Header().Set("ETag", has.String())
	w.WriteHeader(http.StatusNotModified)
}

var errOutrun = errors.New("cannot publish: the terminal names another policy again and again")

func (a *API) policyFault(w http.ResponseWriter, terminal string, err error) {
	if errors.Is(err, store.ErrNotFound) {
		refuse(w, http.StatusForbidden, "cannot answer: this terminal was retired", "enrol it again if it is in use")
		return
	}
	if errors.Is(err, store.ErrAbsurd) || errors.Is(err, errOutrun) {
		a.Log.Error().Str("terminal", terminal).Err(err).Msg("policy not sent")
		w.Header().Set("Retry-After", "600")
		refuse(w, http.StatusConflict, err.Error(), "run `sekisho-agent enroll --again` on this terminal with a new code")
		return
	}
	a.fail(w, terminal, err)
}

// spread takes up to a fifth off, so that terminals do not come all at once.
func spread(d time.Duration) time.Duration { return d - rand.N(d/5+1) }
