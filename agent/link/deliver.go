package link

import (
	"context"

	"sekisho/internal/wire"
)

// Deliver sends what the queue holds, until it is empty, something fails or ctx ends. It is for an agent that goes:
// nothing is tried again, no policy is followed.
func (l *Link) Deliver(ctx context.Context) error {
	defer l.caller.Load().close()
	u := uploader{Link: l, news: true, most: wire.MaxEntries}
	for {
		more, err := u.once(ctx)
		if err != nil || !more {
			return err
		}
	}
}
