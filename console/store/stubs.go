package store

import (
	"context"
	"errors"
	"time"
)

var errNotYet = errors.New("not built yet")

func (*DB) Overview(ctx context.Context, now time.Time, silentAfter time.Duration) (Overview, error) {
	return Overview{}, errNotYet
}
func (*DB) Events(ctx context.Context, f EventFilter) ([]Event, error) { return nil, errNotYet }
func (*DB) CountEvents(ctx context.Context, f EventFilter) (Counts, error) {
	return Counts{}, errNotYet
}
func (*DB) Event(ctx context.Context, id int64) (Event, error) { return Event{}, errNotYet }
func (*DB) Terminals(ctx context.Context, group, text string) ([]Terminal, error) {
	return nil, errNotYet
}
func (*DB) Terminal(ctx context.Context, id string) (Terminal, error) { return Terminal{}, errNotYet }
func (*DB) Groups(ctx context.Context) ([]Group, error)               { return nil, errNotYet }
func (*DB) GroupPolicy(ctx context.Context, group string, version int64) (GroupPolicy, error) {
	return GroupPolicy{}, errNotYet
}
func (*DB) GroupHistory(ctx context.Context, group string) ([]GroupPolicy, error) {
	return nil, errNotYet
}
func (*DB) Grants(ctx context.Context, f GrantFilter) ([]Grant, error) { return nil, errNotYet }
func (*DB) Grant(ctx context.Context, id string) (Grant, error)        { return Grant{}, errNotYet }
func (*DB) Tokens(ctx context.Context) ([]Token, error)                { return nil, errNotYet }
func (*DB) Audits(ctx context.Context, before int64, limit int) ([]Audit, error) {
	return nil, errNotYet
}
func (*DB) Handle(ctx context.Context, id int64, h Handling, by string, now time.Time) error {
	return errNotYet
}
func (*DB) PutGroupPolicy(ctx context.Context, p GroupPolicy, basedOn int64, now time.Time) (GroupPolicy, error) {
	return GroupPolicy{}, errNotYet
}
func (*DB) PutGroup(ctx context.Context, id, name, by string, now time.Time) error { return errNotYet }
func (*DB) MoveTerminal(ctx context.Context, id, group, by string, now time.Time) error {
	return errNotYet
}
func (*DB) PutGrant(ctx context.Context, g Grant, now time.Time) (Grant, error) {
	return Grant{}, errNotYet
}
func (*DB) RevokeGrant(ctx context.Context, id, by string, now time.Time) error { return errNotYet }
func (*DB) PutToken(ctx context.Context, t Token, now time.Time) error          { return errNotYet }
func (*DB) RevokeToken(ctx context.Context, id int64, by string, now time.Time) error {
	return errNotYet
}
func (*DB) Account(ctx context.Context, name string) (Account, error) { return Account{}, errNotYet }
func (*DB) Accounts(ctx context.Context) ([]Account, error)           { return nil, errNotYet }
func (*DB) PutAccount(ctx context.Context, a Account, by string, now time.Time) error {
	return errNotYet
}
func (*DB) PutSession(ctx context.Context, s Session, now time.Time) error { return errNotYet }
func (*DB) Session(ctx context.Context, hash [32]byte, now time.Time) (Session, error) {
	return Session{}, errNotYet
}
func (*DB) Sessions(ctx context.Context, account int64) ([]Session, error) { return nil, errNotYet }
func (*DB) EndSession(ctx context.Context, id int64, by string, now time.Time) error {
	return errNotYet
}
func (*DB) FailedSignIns(ctx context.Context, name string, since time.Time) (int, error) {
	return 0, errNotYet
}
func (*DB) NoteSignIn(ctx context.Context, name, address string, ok bool, now time.Time) error {
	return errNotYet
}
func (*DB) Setting(ctx context.Context, key string) (string, error) { return "", errNotYet }
func (*DB) PutSetting(ctx context.Context, key, value, by string, now time.Time) error {
	return errNotYet
}

// PutSetup keeps the hash of the one setup link that is valid, until the given time.
func (*DB) PutSetup(ctx context.Context, hash [32]byte, until time.Time) error { return errNotYet }

// TakeSetup uses the link up and makes the first administrator; ErrConflict when it is used, over, or an administrator exists.
func (*DB) TakeSetup(ctx context.Context, hash [32]byte, a Account, now time.Time) error {
	return errNotYet
}

// Open opens the database in a folder, in the console's time zone.
func Open(ctx context.Context, path string, zone *time.Location) (*DB, error) { return nil, errNotYet }

// Close ends all use.
func (*DB) Close() error { return nil }
