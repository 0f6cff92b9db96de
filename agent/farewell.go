package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/link"
	"sekisho/agent/outbox"
	"sekisho/internal/wire"
)

// farewellLimit is how long a removal may wait for the console to hear of it.
const farewellLimit = 10 * time.Second

// farewell is the last word of an agent that is being removed: written as every record is, then carried to the console
// if it can be reached. It never keeps a removal from its end. Nobody else may have the journal open.
type farewell struct {
	config config
	root   string
	limit  time.Duration
	log    zerolog.Logger
	out    io.Writer
}

// say writes that the agent goes, or that it could not, and tells the person what the console knows of it.
func (f farewell) say(ctx context.Context, problem error, by string) {
	if _, err := os.Stat(f.config.State); err != nil {
		return // it was never at work here
	}
	boot := bootID(f.root)
	clock, _ := openClock(f.config.State, boot, time.Now, sinceBoot)
	box, err := outbox.Open(filepath.Join(f.config.State, "outbox"), outbox.Options{Log: f.log,
		Gap: func(lost uint64) []byte { return gapRecord(lost, "journal", clock.now(), boot) }})
	if err != nil {
		fmt.Fprintf(f.out, "the removal is not recorded: %v\n", err)
		return
	}
	defer box.Close()
	r := goodbye(problem, by)
	r.At, r.Boot = clock.now(), boot
	body, err := encode(r)
	if err == nil {
		_, err = box.Append(body)
	}
	if err != nil {
		fmt.Fprintf(f.out, "the removal is not recorded: %v\n", err)
	}
	f.carry(ctx, box)
}

func goodbye(problem error, by string) wire.Record {
	r := wire.Record{Kind: wire.RecordAgent, Code: "uninstalled", Note: "version " + version}
	if by != "" {
		r.Note += ", by " + cut(by, 256)
	}
	if problem != nil {
		r.Code, r.Note = "uninstall_failed", r.Note+": "+cut(problem.Error(), 1024)
	}
	return r
}

func (f farewell) carry(ctx context.Context, box *outbox.Outbox) {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	if err := f.deliver(ctx, box); err != nil {
		fmt.Fprintf(f.out, "the console does not know of the removal: %v\n  %d records are in %s; unless they are purged, an agent that is installed here again delivers them\n",
			err, box.Len(), f.config.State)
		return
	}
	fmt.Fprintln(f.out, "the console knows of the removal")
}

func (f farewell) deliver(ctx context.Context, box *outbox.Outbox) error {
	if f.config.Server == "" {
		return errors.New("no console is configured")
	}
	id, err := link.Load(f.config.State)
	if err != nil {
		return err
	}
	l, err := link.New(link.Options{
		URL: f.config.Server, Dir: f.config.State, Identity: id, Queue: box, Log: f.log,
		OnWant: func(want []string) error {
			if slices.Contains(want, wire.WantJournal) {
				return box.Renew()
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	return l.Deliver(ctx)
}
