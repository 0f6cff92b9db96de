package enforce

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// linkSwitch turns interfaces by their flag IFF_UP (netdevice(7)). That needs CAP_NET_ADMIN, sends nothing, and does not outlive the kernel.
type linkSwitch struct{}

func systemAdapters() adapterSystem { return linkSwitch{} }

func (linkSwitch) state(id string) (AdapterState, error) {
	state := AdapterDown
	err := withLink(id, func(fd int, r *unix.Ifreq) error {
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
			return err
		}
		if r.Uint16()&unix.IFF_UP != 0 {
			state = AdapterUp
		}
		return nil
	})
	if errors.Is(err, unix.ENODEV) {
		return AdapterGone, nil
	}
	if err != nil {
		return AdapterUnknown, fmt.Errorf("cannot read the state of %s: %w", id, err)
	}
	return state, nil
}

func (s linkSwitch) down(id string) error { return s.turn(id, false) }
func (s linkSwitch) up(id string) error   { return s.turn(id, true) }

func (linkSwitch) turn(id string, up bool) error {
	err := withLink(id, func(fd int, r *unix.Ifreq) error {
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
			return err
		}
		flags := r.Uint16() &^ unix.IFF_UP
		if up {
			flags |= unix.IFF_UP
		}
		r.SetUint16(flags)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
	})
	if err != nil {
		return fmt.Errorf("cannot turn %s: %w", id, err)
	}
	return nil
}

// withLink calls for the interface that is still the one with this number: a name may be another one's by now.
func withLink(id string, do func(fd int, r *unix.Ifreq) error) error {
	number, name, _ := strings.Cut(id, " ")
	index, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return fmt.Errorf("no interface is called %q", id)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r); err != nil {
		return err
	}
	if uint64(r.Uint32()) != index {
		return unix.ENODEV
	}
	return do(fd, r)
}
