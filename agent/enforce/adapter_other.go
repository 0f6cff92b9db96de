//go:build !linux && !windows

package enforce

import (
	"errors"
	"runtime"
)

// noSwitch: BUG: adapters are not disabled yet on systems other than Linux and Windows; it says so.
type noSwitch struct{}

func systemAdapters() adapterSystem { return noSwitch{} }

func (noSwitch) state(string) (AdapterState, error) { return AdapterUnknown, noSwitch{}.down("") }
func (noSwitch) up(string) error                    { return noSwitch{}.down("") }
func (noSwitch) down(string) error {
	return errors.New("cannot turn adapters: not supported on " + runtime.GOOS + " yet")
}
