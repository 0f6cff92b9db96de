package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readNet asks the kernel for its links, routes and neighbours. That stays on this machine: a netlink socket reaches nobody else.
func readNet() (netState, error) {
	var n netState
	for _, ask := range []struct{ what, family int }{
		{unix.RTM_GETLINK, unix.AF_UNSPEC}, {unix.RTM_GETROUTE, unix.AF_INET}, {unix.RTM_GETROUTE, unix.AF_INET6}, {unix.RTM_GETNEIGH, unix.AF_UNSPEC},
		{unix.RTM_GETADDR, unix.AF_UNSPEC},
	} {
		b, err := syscall.NetlinkRIB(ask.what, ask.family)
		if err != nil {
			return n, fmt.Errorf("cannot ask the kernel for its network: %w", err)
		}
		if err := messages(b, n.take); err != nil {
			return n, err
		}
	}
	var err error
	n.ssids, err = readSSIDs()
	return n, err
}

// readWay asks the kernel by which interface it would send to an address; 0 is none. Nothing is sent.
func readWay(ip netip.Addr) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, fmt.Errorf("cannot ask the kernel for a way: %w", err)
	}
	defer unix.Close(fd)
	second := unix.NsecToTimeval(1e9)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &second); err != nil {
		return 0, fmt.Errorf("cannot ask the kernel for a way: %w", err)
	}
	b, err := ask(fd, wayTo(ip))
	if err != nil {
		return 0, err
	}
	out, err := leavesBy(b)
	if err != nil {
		return 0, nil // there is no way there
	}
	return out, nil
}

// What is listened to (include/uapi/linux/rtnetlink.h, RTMGRP_…).
const changeGroups = unix.RTMGRP_LINK | unix.RTMGRP_NEIGH | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV6_ROUTE

// flapping is how long changes are gathered: a dock brings several at once.
const flapping = 2 * time.Second

// Changes pulses when the network may have changed, until ctx ends. It only listens.
func (e *Eyes) Changes(ctx context.Context) (<-chan struct{}, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("cannot listen to the kernel's network: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: changeGroups}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot listen to the kernel's network: %w", err)
	}
	file := os.NewFile(uintptr(fd), "rtnetlink")
	out := make(chan struct{}, 1)
	context.AfterFunc(ctx, func() { file.Close() })
	go pulse(file, out)
	return out, nil
}

// pulse rings for whatever comes, once for all that comes within a while; what was lost rings too, since the truth is asked
// for anew.
func pulse(file *os.File, out chan<- struct{}) {
	defer close(out)
	buf := make([]byte, 64<<10)
	for {
		if err := file.SetReadDeadline(time.Time{}); err != nil {
			return
		}
		if _, err := file.Read(buf); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		if err := file.SetReadDeadline(time.Now().Add(flapping)); err != nil {
			return
		}
		for more := true; more; {
			_, err := file.Read(buf)
			more = err == nil || errors.Is(err, unix.ENOBUFS)
		}
		select {
		case out <- struct{}{}:
		default:
		}
	}
}
