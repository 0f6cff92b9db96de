package agentapi

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// follow asks for the policy as a terminal does.
func (tm *terminal) follow(t testing.TB, etag string) *http.Response {
	t.Helper()
	res, err := tm.ask(t, etag)
	must(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func (tm *terminal) ask(t testing.TB, etag string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tm.url+wire.PathPolicy, nil)
	must(t, err)
	req.Header.Set("If-None-Match", etag)
	return tm.Do(req)
}

func revisionOf(res *http.Response) int64 {
	return wire.ParsePolicyTag(res.Header.Get("ETag")).Revision
}

// hanging starts a request and waits until it hangs in the console.
func (c *console) hanging(t *testing.T, tm *terminal, etag string) <-chan *http.Response {
	t.Helper()
	before := time.Now().Add(-time.Hour)
	answers := make(chan *http.Response, 1)
	go func() {
		if res, err := tm.ask(t, etag); err == nil {
			answers <- res
		}
		close(answers)
	}()
	for { // the contact is noted when the request has arrived; the database is asked, not the time
		got, err := c.db.Terminal(t.Context(), tm.id)
		must(t, err)
		if got.LastContact.After(before) && c.db.Watched(tm.id) {
			return answers
		}
		if len(answers) > 0 {
			t.Fatal("the request was answered instead of hanging")
		}
	}
}

func TestAGrantWakesTheHangingTerminal(t *testing.T) {
	c := start(t, func(o *Options) { o.Look = time.Hour })
	tm := c.enrol(t)
	first := tm.follow(t, "")
	if first.StatusCode != http.StatusOK || revisionOf(first) != 1 {
		t.Fatalf("first policy: %d %s", first.StatusCode, first.Header.Get("ETag"))
	}
	answers := c.hanging(t, tm, `"1"`)
	_, err := c.db.PutGrant(t.Context(), store.Grant{Terminal: tm.id, Grant: policy.Grant{Vendor: "0781", Product: "5583", Serial: "S1",
		From: c.clock.now(), Until: c.clock.now().Add(time.Hour)}}, c.clock.now())
	must(t, err)
	res := <-answers
	if res == nil || res.StatusCode != http.StatusOK || revisionOf(res) != 2 {
		t.Fatalf("the grant did not arrive: %+v", res)
	}
	res.Body.Close()
}

func TestAChangeByAnotherReplicaIsFoundByLooking(t *testing.T) {
	dir := t.TempDir()
	c := startIn(t, dir, func(o *Options) { o.Look = 5 * time.Millisecond })
	other, err := store.Open(t.Context(), c.path, time.UTC) // wakes nobody here
	must(t, err)
	defer other.Close()
	tm := c.enrol(t)
	answers := c.hanging(t, tm, `"1"`)
	_, err = other.PutGroupPolicy(t.Context(), store.GroupPolicy{Group: "default", Control: policy.DefaultControl(policy.ModeEnforce)}, 1, c.clock.now())
	must(t, err)
	if res := <-answers; res == nil || revisionOf(res) != 2 {
		t.Fatalf("got %+v", res)
	}
}

func TestAPolicyRequestEndsUnchangedAfterItsHold(t *testing.T) {
	c := start(t, func(o *Options) { o.Hold = time.Millisecond })
	tm := c.enrol(t)
	if res := tm.follow(t, `"1"`); res.StatusCode != http.StatusNotModified || res.Header.Get(wire.HeaderTime) == "" {
		t.Fatalf("answered %d", res.StatusCode)
	}
}

func TestAnAnswerCarriesTheTimeAtWhichItIsGiven(t *testing.T) {
	c := start(t)
	tm := c.enrol(t)
	answers := c.hanging(t, tm, `"1"`)
	c.clock.ahead.Store(int64(time.Hour))
	c.api.Release()
	res := <-answers
	if res == nil {
		t.Fatal("no answer")
	}
	ms, err := strconv.ParseInt(res.Header.Get(wire.HeaderTime), 10, 64)
	must(t, err)
	if late := c.clock.now().Sub(time.UnixMilli(ms)); late > 30*time.Minute {
		t.Fatalf("a request that hung for an hour was told a time %s ago", late)
	}
}

func TestAStoppingConsoleLetsHangingTerminalsGo(t *testing.T) {
	c := start(t)
	tm := c.enrol(t)
	answers := c.hanging(t, tm, `"1"`)
	c.api.Release()
	if res := <-answers; res == nil || res.StatusCode != http.StatusNotModified {
		t.Fatalf("got %+v", res)
	}
}

func TestARetiredTerminalsHangingRequestIsRefused(t *testing.T) {
	c := start(t)
	tm := c.enrol(t)
	answers := c.hanging(t, tm, `"1"`)
	must(t, c.db.RetireTerminal(t.Context(), tm.id, "sold", "admin", c.clock.now()))
	if res := <-answers; res == nil || res.StatusCode != http.StatusForbidden {
		t.Fatalf("got %+v", res)
	}
}
