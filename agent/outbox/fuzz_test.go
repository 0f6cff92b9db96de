package outbox

import (
	"os"
	"path/filepath"
	"testing"

	"sekisho/internal/wire"
)

// FuzzOpen: whatever stands in the files, the journal opens, takes a record and gives it out again.
func FuzzOpen(f *testing.F) {
	head, _ := encodeHeader(newID(), 1, wire.Hash{})
	one := appendRecord(head, 1, wire.Hash{}, body(1))
	f.Add(one, []byte(`{"generation":1,"outbox":"00112233445566778899aabbccddeeff"}`), []byte{0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4})
	f.Add(one[:80], []byte(`{}`), []byte{})
	f.Add(append(one, one[headerSize:]...), []byte(`{"generation":1,"outbox":"00112233445566778899aabbccddeeff","told":[{"from":1,"to":0}],"debt":{"lost":5,"at":9}}`), []byte("x"))
	f.Fuzz(func(t *testing.T, segment, state, ack []byte) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{segmentName(1, 1): segment, stateFile: state, ackFile: ack} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o := open(t, dir, Options{})
		last := must[uint64](t)(o.Append(body(7)))
		for range 1000 {
			req := must[wire.EventsRequest](t)(o.Next(wire.MaxEntries))
			if len(req.Entries) == 0 {
				t.Fatal("the new record does not come out")
			}
			high := req.First + uint64(len(req.Entries)) - 1
			if err := o.Drop(high); err != nil {
				t.Fatal(err)
			}
			if high >= last {
				return
			}
		}
		t.Fatal("no end")
	})
}
