package sensor

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	kernelGroup = 1       // the kernel's own messages; 2 is udev's, which needs a living udevd (netlink(7))
	backlog     = 4 << 20 // bytes the kernel may keep for us in a storm
	messageSize = 16 << 10
)

// netlink reads kernel uevents. The runtime's poller waits, so an idle agent holds no thread.
type netlink struct {
	file *os.File
	conn syscall.RawConn
	now  func() time.Time
	buf  []byte
	oob  []byte
}

func listen(now func() time.Time) (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("cannot open the kernel's event socket: %w", err)
	}
	if err := prepare(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot listen to kernel events: %w", err)
	}
	file := os.NewFile(uintptr(fd), "uevents")
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot listen to kernel events: %w", err)
	}
	return &netlink{file, conn, now, make([]byte, messageSize), make([]byte, unix.CmsgSpace(unix.SizeofUcred))}, nil
}

func prepare(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return err
	}
	// Beyond rmem_max only with CAP_NET_ADMIN; without it a smaller backlog still works, since a loss is noticed.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, backlog) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, backlog); err != nil {
			return err
		}
	}
	return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup})
}

func (n *netlink) Close() error { return n.file.Close() }

// Next waits for the next event that matters. What does not come from the kernel is passed over.
func (n *netlink) Next() (uevent, error) {
	for {
		message, err := n.receive()
		if err != nil {
			return uevent{}, err
		}
		if ev, err := parseUEvent(message); err == nil && ev.watched() {
			ev.at = n.now()
			return ev, nil
		}
	}
}

// receive gives one message of the kernel; nil is one of somebody else.
func (n *netlink) receive() ([]byte, error) {
	var size, oobSize, flags int
	var from unix.Sockaddr
	var failed error
	err := n.conn.Read(func(fd uintptr) bool {
		size, oobSize, flags, from, failed = unix.Recvmsg(int(fd), n.buf, n.oob, 0)
		return failed != unix.EAGAIN
	})
	switch {
	case err != nil:
		return nil, err
	case errors.Is(failed, unix.ENOBUFS), failed == nil && flags&unix.MSG_TRUNC != 0:
		return nil, errOverflow
	case errors.Is(failed, unix.EINTR):
		return nil, nil
	case failed != nil:
		return nil, fmt.Errorf("cannot read kernel events: %w", failed)
	case !fromKernel(from, n.oob[:oobSize]):
		return nil, nil
	}
	return n.buf[:size], nil
}

// fromKernel: only the kernel has port 0, and credentials cannot be forged (netlink(7), unix(7)).
func fromKernel(from unix.Sockaddr, oob []byte) bool {
	sender, ok := from.(*unix.SockaddrNetlink)
	if !ok || sender.Pid != 0 {
		return false
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return false
	}
	cred, err := unix.ParseUnixCredentials(&messages[0])
	return err == nil && cred.Uid == 0 && cred.Pid == 0
}
