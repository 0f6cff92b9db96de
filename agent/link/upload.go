package link

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sekisho/internal/wire"
)

// upload sends what the queue holds, oldest first, and the status when it changed. It never gives a record up:
// what the console refuses stays in the queue, is said in the log and in State, and is tried again ever more rarely.
func (l *Link) upload(ctx context.Context) {
	u := uploader{Link: l, news: true, most: wire.MaxEntries}
	var b backoff
	for ctx.Err() == nil {
		more, err := u.once(ctx)
		switch {
		case err != nil:
			l.failed(ctx, "upload", err)
			u.shrink(err)
			pause(ctx, b.grow(err), l.o.Queue.Wake())
		case more:
			b.reset()
		default:
			b.reset()
			u.sleep(ctx)
		}
	}
}

// uploader is the upload loop's own memory.
type uploader struct {
	*Link
	news bool // the status changed since it was last sent
	most int  // records a batch
}

// gather is how long the uploader lets things come together: one plugged device changes the status twice and makes a
// record, which is one request and not three; and until the record is on disk the processor belongs to the verdict.
const gather = 250 * time.Millisecond

// sleep waits for something to send.
func (u *uploader) sleep(ctx context.Context) {
	var sheets <-chan struct{}
	var rested <-chan time.Time
	if u.takesSheets() {
		sheets = u.o.Sheets.Wake()
		if rest := u.o.Sheets.Rest(); rest > 0 {
			rested = time.After(rest)
		}
	}
	select {
	case <-ctx.Done():
	case <-sheets:
	case <-rested:
	case <-u.o.Queue.Wake():
	case <-u.o.StatusChanged:
		u.news = true
	}
	pause(ctx, gather)
}

// once sends one batch or the status; more says that there may be another.
func (u *uploader) once(ctx context.Context) (more bool, err error) {
	select {
	case <-u.o.StatusChanged:
		u.news = true
	default:
	}
	req, err := u.o.Queue.Next(u.most)
	if err != nil {
		return false, err
	}
	knew := u.takesSheets()
	if knew && len(req.Entries) <= recordsFirst {
		req.Sheets = u.o.Sheets.Next()
	}
	withStatus := u.news && u.o.Status != nil
	if len(req.Entries)+len(req.Sheets) == 0 && !withStatus {
		return false, nil
	}
	if withStatus {
		s := u.o.Status()
		req.Status = &s
	}
	var a wire.EventsAnswer
	if err := u.caller.Load().post(ctx, wire.PathEvents, req, &a); err != nil {
		u.withoutSheets(req, err)
		return false, err
	}
	u.reached("upload")
	if req.Status != nil {
		u.o.OnReported(*req.Status)
	}
	u.news = u.news && !withStatus
	u.most = min(2*u.most, wire.MaxEntries)
	more, err = u.acknowledge(req, a)
	if len(req.Sheets) > 0 {
		more = u.o.Sheets.Answered(a.Sheets) || more
	}
	return more || !knew && u.takesSheets(), err // it has just said that it does
}

// recordsFirst is up to how many records a request carries a step of a sheet as well: behind a long absence, what happened
// goes before what is there.
const recordsFirst = 50

// takesSheets says whether the console keeps copies of sheets: one that has not said its version yet may be an older one.
func (u *uploader) takesSheets() bool {
	return u.o.Sheets != nil && u.speaks.Load() >= wire.VersionSoftware
}

// withoutSheets lets the records go alone when the console refused them together with a step.
func (u *uploader) withoutSheets(req wire.EventsRequest, err error) {
	var r *refusal
	if len(req.Sheets) > 0 && errors.As(err, &r) && (r.status == http.StatusBadRequest || r.status == http.StatusRequestEntityTooLarge) {
		u.o.Sheets.Refused()
	}
}

// acknowledge drops what is stored. An answer that moves nothing on is a fault: the loop must not turn hot over it.
func (u *uploader) acknowledge(req wire.EventsRequest, a wire.EventsAnswer) (more bool, err error) {
	if len(a.Want) > 0 {
		if err := u.o.OnWant(a.Want); err != nil || slices.Contains(a.Want, wire.WantJournal) {
			return true, err // the numbers of this batch mean nothing any more
		}
	}
	if len(req.Entries) == 0 {
		return false, nil
	}
	if a.Acked < req.First {
		return false, fmt.Errorf("cannot upload: the console did not store record %d of journal %s", req.First, req.Outbox)
	}
	return true, u.o.Queue.Drop(a.Acked)
}

// shrink makes batches smaller when the console finds them too large.
func (u *uploader) shrink(err error) {
	var r *refusal
	if errors.As(err, &r) && r.status == http.StatusRequestEntityTooLarge {
		u.most = max(1, u.most/2)
	}
}
