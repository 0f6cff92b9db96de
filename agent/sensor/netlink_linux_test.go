package sensor

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestThisMachineCanBeWatchedAndTheChannelClosesWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	events, err := Watch(ctx, Options{Root: newMachine(t).root, Log: zerolog.Nop(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range events { // nothing is attached to a machine without devices
	}
}
