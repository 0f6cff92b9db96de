package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// childEnv names the database that the child of TestKilledInTheMiddle… stores into.
const childEnv = "SEKISHO_TEST_STORE"

// TestMain lets the test program be the console that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		storeForever(path)
	}
	os.Exit(m.Run())
}

// storeForever stores batch after batch for three terminals and says each acknowledgement after it was given.
func storeForever(path string) {
	ctx := context.Background()
	t := &testing.B{} // only for its Helper and Fatal
	db, err := Open(ctx, path, nil)
	must(t, err)
	said := make(chan string)
	for _, id := range []string{"t0", "t1", "t2"} {
		go func() {
			j := journalOf{outbox: "journal-" + id}
			for {
				req := j.batch(t, stick("A"), stick("B"), stick("C"), stick("D"), stick("E"))
				answer, err := db.AddEvents(ctx, id, req, noon)
				must(t, err)
				said <- fmt.Sprintf("%s %d", id, answer.Acked)
			}
		}()
	}
	for s := range said {
		fmt.Println(s)
	}
}

func TestKilledInTheMiddleNothingAcknowledgedIsLostAndNothingIsThereTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	db := reopen(t, path)
	must(t, db.PutGroup(t.Context(), "default", "既定", "test", noon))
	for _, id := range []string{"t0", "t1", "t2"} {
		enrol(t, db, id)
	}
	must(t, db.Close())
	for round := range 5 {
		acked := killAfter(t, path, 20+30*round)
		check := reopen(t, path)
		for id, want := range acked {
			list, err := check.Events(t.Context(), EventFilter{Terminal: id, Kind: "device", Limit: 500})
			must(t, err)
			seen := map[uint64]bool{}
			for _, e := range list {
				if seen[e.Seq] || !e.ChainOK {
					t.Fatalf("round %d: number %d of %s is there twice or broken", round, e.Seq, id)
				}
				seen[e.Seq] = true
			}
			var kept uint64
			must(t, check.reader.QueryRow(`SELECT COUNT(*) FROM events WHERE terminal = $1 AND kind = 'device'`, id).Scan(&kept))
			if kept < want || kept%5 != 0 {
				t.Fatalf("round %d: %s was told %d, kept are %d", round, id, want, kept)
			}
		}
	}
}

// killAfter runs the child, kills it without warning after some acknowledgements, and tells the last ones.
func killAfter(t *testing.T, path string, lines int) map[string]uint64 {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	acked := map[string]uint64{}
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		var id string
		var seq uint64
		if _, err := fmt.Sscan(scan.Text(), &id, &seq); err != nil {
			t.Fatalf("the child said %q", scan.Text())
		}
		acked[id] = max(acked[id], seq)
		if n == lines {
			must(t, child.Process.Kill())
		}
	}
	child.Wait() // it was killed
	if len(acked) == 0 {
		t.Fatal("the child stored nothing")
	}
	return acked
}
