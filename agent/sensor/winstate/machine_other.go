//go:build !windows

package winstate

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"sekisho/internal/policy"
)

// noMachine is what stands here for a Windows: it has nothing to say.
type noMachine struct{}

func thisMachine() Machine { return noMachine{} }

var errNoWindows = fmt.Errorf("cannot read: %w", errNoSource)

func (noMachine) Value(string, string, string) policy.Raw        { return failed(errNoWindows) }
func (noMachine) Keys(string, string) ([]string, error)          { return nil, errNoWindows }
func (noMachine) Service(string) policy.Raw                      { return failed(errNoWindows) }
func (noMachine) Programs() (map[string]bool, error)             { return nil, errNoWindows }
func (noMachine) Firmware() (bool, error)                        { return false, errNoWindows }
func (noMachine) SMBIOS() ([]byte, error)                        { return nil, errNoWindows }
func (noMachine) Users() ([]Account, error)                      { return nil, errNoWindows }
func (noMachine) Admins() ([]Member, error)                      { return nil, errNoWindows }
func (noMachine) MinLength() (int64, error)                      { return 0, errNoWindows }
func (noMachine) NameOf(sid string) string                       { return sid }
func (noMachine) Network() (Network, error)                      { return Network{}, errNoWindows }
func (noMachine) Out(netip.Addr) (uint32, error)                 { return 0, errNoWindows }
func (noMachine) Exists(string) bool                             { return false }
func askChild(context.Context, ...string) ([]byte, error)        { return nil, errNoWindows }
func Answer(context.Context, io.Writer, []string) error          { return errNoWindows }
func (e *Eyes) Changes(context.Context) (<-chan struct{}, error) { return nil, errNoWindows }
