package health

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// readSSIDs asks the kernel which wireless networks its interfaces are in; it neither searches nor joins. A kernel without
// wireless has no such family, and no name.
func readSSIDs() (map[int]string, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("cannot ask for wireless networks: %w", err)
	}
	defer unix.Close(fd)
	second := unix.NsecToTimeval(1e9)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &second); err != nil {
		return nil, fmt.Errorf("cannot ask for wireless networks: %w", err)
	}
	b, err := ask(fd, genQuestion(genControl, 0, genGetFamily, genFamilyName, []byte("nl80211\x00")))
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	family, err := familyID(b)
	if err != nil || family == 0 {
		return names, nil
	}
	if b, err = ask(fd, genQuestion(family, flagDump, wifiGetInterface, 0, nil)); err != nil {
		return nil, err
	}
	return names, networkNames(family, b, names)
}

func ask(fd int, question []byte) ([]byte, error) {
	if err := unix.Sendto(fd, question, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("cannot ask the kernel for its network: %w", err)
	}
	b := make([]byte, 32<<10)
	n, _, err := unix.Recvfrom(fd, b, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the kernel for its network: %w", err)
	}
	return b[:n], nil
}
