package agentapi

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// applied is what a terminal has after an answer.
func applied(t testing.TB, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	tag := wire.ParsePolicyTag(res.Header.Get("ETag"))
	if res.StatusCode != http.StatusOK || wire.TagOf(tag.Revision, body) != tag {
		t.Fatalf("answered %d, tag %s is not of this document", res.StatusCode, tag)
	}
	return tag.String()
}

func (c *console) grant(t testing.TB, tm *terminal, serial string) string {
	t.Helper()
	g, err := c.db.PutGrant(t.Context(), store.Grant{Terminal: tm.id, Grant: policy.Grant{Vendor: "0781", Product: "5583", Serial: serial,
		From: c.clock.now(), Until: c.clock.now().Add(time.Hour)}}, c.clock.now())
	must(t, err)
	return g.ID
}

// restored is the console started again from a backup; the terminal speaks to it with the certificate it has.
func restored(t *testing.T, dir, backup string, tm *terminal) *console {
	t.Helper()
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, "console.db"+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	must(t, os.Rename(backup, filepath.Join(dir, "console.db")))
	c := startIn(t, dir, func(o *Options) { o.Look = time.Hour })
	tm.url = c.url
	return c
}

func TestAfterAnOlderBackupIsRestoredGrantsAndRevocationsArriveAgain(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "copy.db")
	c := startIn(t, dir)
	tm := c.enrol(t)
	must(t, c.db.Backup(t.Context(), backup))
	for _, serial := range []string{"S1", "S2", "S3"} {
		c.grant(t, tm, serial)
	}
	has := applied(t, tm.follow(t, ""))
	if wire.ParsePolicyTag(has).Revision != 4 {
		t.Fatalf("has %s", has)
	}
	c.stop()

	c = restored(t, dir, backup, tm) // it counts on from 1 and knows of no permission
	has = applied(t, tm.follow(t, has))
	if got := wire.ParsePolicyTag(has).Revision; got != 5 {
		t.Fatalf("the terminal would refuse revision %d", got)
	}
	answers := c.hanging(t, tm, has)
	id := c.grant(t, tm, "S4")
	has = applied(t, <-answers)
	must(t, c.db.RevokeGrant(t.Context(), id, "admin", c.clock.now()))
	if got := wire.ParsePolicyTag(applied(t, tm.follow(t, has))).Revision; got != 7 {
		t.Fatalf("revoked by revision %d", got)
	}
	acts, err := c.db.Audits(t.Context(), 0, 3)
	must(t, err)
	if acts[2].Act != "outrun" || acts[2].Object != tm.id {
		t.Fatalf("nothing is written down: %+v", acts)
	}
}

func TestTheSameRevisionWithOtherContentIsNotTakenForTheSame(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "copy.db")
	c := startIn(t, dir)
	tm := c.enrol(t)
	must(t, c.db.Backup(t.Context(), backup))
	c.grant(t, tm, "S1")
	has := applied(t, tm.follow(t, "")) // revision 2 lets S1 in
	c.stop()

	c = restored(t, dir, backup, tm)
	c.grant(t, tm, "S2") // revision 2 again
	if got := wire.ParsePolicyTag(applied(t, tm.follow(t, has))).Revision; got != 3 {
		t.Fatalf("answered revision %d", got)
	}
}

func TestATerminalsDocumentIsTheSameAfterTheConsoleStartsAgainAndAfterAPermissionHasEnded(t *testing.T) {
	dir := t.TempDir()
	c := startIn(t, dir)
	tm := c.enrol(t)
	c.grant(t, tm, "S1")
	has := applied(t, tm.follow(t, ""))
	c.stop()
	c = startIn(t, dir, func(o *Options) { o.Hold = time.Millisecond })
	c.clock.advance(2 * time.Hour)
	tm.url = c.url
	if res := tm.follow(t, has); res.StatusCode != http.StatusNotModified || res.Header.Get("ETag") != has {
		t.Fatalf("answered %d %s to %s", res.StatusCode, res.Header.Get("ETag"), has)
	}
}

func TestARevisionBeyondAllBoundsIsRefusedAndWrittenDownOnce(t *testing.T) {
	c := start(t)
	tm := c.enrol(t)
	for range 9 {
		if res := tm.follow(t, wire.TagOf(wire.MaxRevision, nil).String()); res.StatusCode != http.StatusConflict {
			t.Fatalf("answered %d", res.StatusCode)
		}
	}
	acts, err := c.db.Audits(t.Context(), 0, 2)
	must(t, err)
	if acts[0].Act != "absurd" || acts[1].Act == "absurd" {
		t.Fatalf("got %+v", acts)
	}
	if n, err := c.db.Revision(t.Context(), tm.id); err != nil || n != 1 {
		t.Fatalf("revision %d %v", n, err)
	}
}

func TestATerminalThatNeverHasWhatItWasGivenIsNotFollowedForEver(t *testing.T) {
	c := start(t)
	tm := c.enrol(t)
	n := 0
	for ; ; n++ {
		now, err := c.db.Revision(t.Context(), tm.id)
		must(t, err)
		if res := tm.follow(t, wire.TagOf(now, []byte("something else")).String()); res.StatusCode != http.StatusOK {
			break
		}
	}
	if n != 5 {
		t.Fatalf("its revision was raised %d times", n)
	}
}
