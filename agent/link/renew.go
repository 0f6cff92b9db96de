package link

import (
	"context"
	"fmt"
	"time"

	"sekisho/internal/wire"
)

// look is how often the renewal compares the clock: a timer does not count the hours a machine sleeps.
const look = 12 * time.Hour

// renew gets a new certificate at two thirds of the old one's life.
func (l *Link) renew(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		due, err := l.due()
		if err == nil && due > 0 {
			pause(ctx, min(due, look))
			continue
		}
		if err == nil {
			err = l.renewNow(ctx)
		}
		if err != nil {
			l.failed(ctx, "renew", err)
			pause(ctx, max(time.Minute, b.grow(err)))
			continue
		}
		b.reset()
		l.reached("renew")
	}
}

func (l *Link) due() (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, err := l.identity.renewAt()
	return at.Sub(l.o.Now()), err
}

// renewNow makes a new key, has it certified and replaces the pair in one write: before it the old pair works, after it the new.
func (l *Link) renewNow(ctx context.Context) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	csr, err := request(key)
	if err != nil {
		return err
	}
	var a wire.RenewAnswer
	if err := l.caller.Load().post(ctx, wire.PathRenew, wire.RenewRequest{CSR: csr}, &a); err != nil {
		return fmt.Errorf("cannot renew certificate: %w", err)
	}
	l.mu.Lock()
	id := l.identity
	l.mu.Unlock()
	id.Key, id.Certificate = key, a.Certificate
	if err := id.check(); err != nil {
		return fmt.Errorf("cannot renew certificate: %w", err)
	}
	if at, err := id.renewAt(); err != nil || !at.After(l.o.Now()) {
		return fmt.Errorf("cannot renew certificate: the new one is already due again; check this terminal's clock")
	}
	if err := id.save(l.o.Dir); err != nil {
		return err
	}
	l.mu.Lock()
	l.identity = id
	l.mu.Unlock()
	l.o.Log.Info().Msg("certificate renewed")
	return l.connect(id)
}
