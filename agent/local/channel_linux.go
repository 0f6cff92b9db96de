package local

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// SocketPath is where the agent listens, in its unit's RuntimeDirectory.
const SocketPath = "/run/sekisho/agent.sock"

// Listen opens the socket for everyone on this terminal: what it answers is no secret of another user.
func Listen(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		os.Remove(path) // left by an agent that was killed
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for local questions: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot listen for local questions: %w", err)
	}
	return l, nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// peer is who asks (unix(7), SO_PEERCRED), as the kernel says.
func peer(conn net.Conn) Peer {
	nobody := Peer{-1, -1}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return nobody
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nobody
	}
	who := nobody
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			who = Peer{int(cred.Pid), int(cred.Uid)}
		}
	})
	if err != nil {
		return nobody
	}
	return who
}
