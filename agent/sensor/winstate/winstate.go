// Package winstate reads on Windows what the checks of a terminal are judged by: registry, services, WMI in a child that can be
// ended, accounts, adapters. It never judges, never changes anything, and never sends anything over a network.
package winstate

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"time"

	"sekisho/internal/policy"
)

// Options is what the eyes are given.
type Options struct {
	Now      func() time.Time                                              // stamps what was read
	Machine  Machine                                                       // nil is this one
	Baseline func() []byte                                                 // the imported table of builds; may be nil, and give nil
	Support  func() []byte                                                 // an imported table of ends of support; may be nil, and give nil
	Before   func(now []string) ([]string, error)                          // the hardware that was there at first; may be nil
	Ask      func(ctx context.Context, question ...string) ([]byte, error) // runs the child; nil is the system's
	Cab      string                                                        // where wsusscn2.cab may lie; without it the search asks what the machine knows already
}

// Machine is one Windows.
type Machine interface {
	Registry
	Service(name string) policy.Raw // running, stopped or absent
	Programs() (map[string]bool, error)
	Firmware() (uefi bool, err error)
	SMBIOS() ([]byte, error)
	Users() ([]Account, error)
	Admins() ([]Member, error)
	MinLength() (int64, error)
	NameOf(sid string) string
	Network() (Network, error)
	Out(netip.Addr) (index uint32, err error) // by which adapter it would send there; 0 is none. Nothing is sent.
	Exists(path string) bool                  // with %names% of the environment
}

// Registry reads values and names of keys.
type Registry interface {
	Value(key, name, view string) policy.Raw
	Keys(key, view string) ([]string, error) // fs.ErrNotExist when the key is not there
}

// Eyes look at one Windows. One goroutine at a time may use them.
type Eyes struct {
	Options
	answers map[string]answer // of WMI, for a minute
	search  search

	searching bool
	found     chan search // what a search beside the looks came to
}

// New gives eyes.
func New(o Options) *Eyes {
	if o.Machine == nil {
		o.Machine = thisMachine()
	}
	if o.Ask == nil {
		o.Ask = askChild
	}
	return &Eyes{Options: o, answers: map[string]answer{}, found: make(chan search, 1)}
}

func (e *Eyes) of(fact, source string) policy.Origin {
	return policy.Origin{Fact: fact, Source: source, At: e.Now()}
}

func why(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return policy.CodeMissing
	case errors.Is(err, fs.ErrPermission):
		return policy.CodeDenied
	case errors.Is(err, errNoSource):
		return policy.CodeNoSource
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return policy.CodeTimeout
	}
	return policy.CodeFailed
}

// errNoSource: this Windows has no such source.
var errNoSource = errors.New("this Windows has no such source")

func unread(o policy.Origin, err error) policy.Reading { return o.Unread(why(err), err.Error()) }

func failed(err error) policy.Raw { return policy.Raw{Code: why(err), Fault: err.Error()} }
