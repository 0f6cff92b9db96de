package local

import (
	"context"
	"errors"
)

// sessions are not told yet on Windows; the record and the log carry the number.
func (t *Teller) sessions() []session { return nil }

func (t *Teller) notify(context.Context, session, string, string) error {
	return errors.New("cannot tell the user: not supported on this system yet")
}

// Ready says why no desktop can be told here.
func (t *Teller) Ready() error {
	return errors.New("cannot tell a desktop: not supported on this system yet")
}
