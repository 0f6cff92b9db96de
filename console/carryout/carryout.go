// Package carryout makes media use permissions and software permissions, and composes the policy document that carries
// them to a terminal. It never lets a device or a program in by itself, and never makes a permission without an end.
package carryout

import (
	"context"
	"crypto/ed25519"
	"time"

	"sekisho/console/store"
)

// rows is what permissions are made from and kept in.
type rows interface {
	Event(ctx context.Context, id int64) (store.Event, error)
	InstalledItem(ctx context.Context, terminal, item string) (store.Installed, error)
	PutGrant(ctx context.Context, g store.Grant, now time.Time) (store.Grant, error)
	TerminalPolicy(ctx context.Context, terminal string) (store.TerminalPolicy, error)
}

// Options is everything an Office needs.
type Options struct {
	DB   rows
	Key  ed25519.PrivateKey // signs policy documents
	Zone *time.Location     // in which the fiscal year ends
}

// Office gives permissions and publishes policies.
type Office struct{ Options }

// New opens an office.
func New(o Options) *Office { return &Office{o} }
