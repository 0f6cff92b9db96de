package sensor

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestThisMachinesNodesCanBeRead(t *testing.T) {
	nodes, err := readNodes()
	if err != nil || len(nodes) == 0 {
		t.Fatalf("%d nodes: %v", len(nodes), err)
	}
	o := Options{Log: zerolog.Nop(), Now: time.Now}
	devices, err := Enumerate(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.ID == "" || d.Bus == "" || len(d.Kinds) == 0 {
			t.Errorf("%+v", d)
		}
	}
	t.Logf("%d nodes, %d devices, user %q", len(nodes), len(devices), User(o))
}
