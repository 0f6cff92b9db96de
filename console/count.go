package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/store"
)

// When the console counts what terminals' checks came to: the last count of a day stays.
const (
	countFirst = time.Minute
	countEvery = time.Hour
)

// counter writes down once an hour how checks stand.
type counter struct {
	db     *store.DB
	log    zerolog.Logger
	now    func() time.Time
	silent time.Duration // a terminal without contact for so long counts as unreported; 0 is seven days
}

func (c counter) run(ctx context.Context) {
	if c.silent == 0 {
		c.silent = 7 * 24 * time.Hour
	}
	for rest := countFirst; wait(ctx, rest); rest = countEvery {
		if err := c.db.CountHealth(ctx, c.now(), c.silent); err != nil && ctx.Err() == nil {
			c.log.Error().Err(err).Msg("cannot count what checks came to")
		}
	}
}
