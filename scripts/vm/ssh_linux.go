package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// link is one ssh connection to a machine, made when first needed and again when it broke.
type link struct {
	port int
	key  string

	mu     sync.Mutex
	client *ssh.Client
}

// await tries until the machine answers.
func (l *link) await(ctx context.Context) error {
	for {
		_, err := l.connect(ctx)
		if err == nil {
			return nil
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}

func (l *link) connect(ctx context.Context) (*ssh.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		return l.client, nil
	}
	pem, err := os.ReadFile(l.key)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	l.client, err = dialSSH(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)), signer)
	return l.client, err
}

func dialSSH(ctx context.Context, address string, signer ssh.Signer) (*ssh.Client, error) {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	config := &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		// The other end is our own child on the loopback interface.
		HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	session, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	conn.SetDeadline(time.Time{})
	return ssh.NewClient(session, channels, requests), nil
}

func (l *link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}

// session opens one on the connection, on a new connection when the old one is dead.
func (l *link) session(ctx context.Context) (*ssh.Session, error) {
	for attempt := 0; ; attempt++ {
		client, err := l.connect(ctx)
		if err != nil {
			return nil, err
		}
		session, err := client.NewSession()
		if err == nil || attempt > 0 {
			return session, err
		}
		l.Close()
	}
}

// Run runs a shell command in the machine as root and gives what it wrote to stdout.
func (m *Machine) Run(ctx context.Context, command string) (string, error) {
	var out bytes.Buffer
	err := m.Pipe(ctx, command, nil, &out)
	return out.String(), err
}

// Pipe runs a shell command with these streams; without a deadline in ctx it may take two minutes.
func (m *Machine) Pipe(ctx context.Context, command string, in io.Reader, out io.Writer) error {
	if _, has := ctx.Deadline(); !has {
		bounded, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		ctx = bounded
	}
	session, err := m.ssh.session(ctx)
	if err != nil {
		return fmt.Errorf("cannot reach the machine: %w", err)
	}
	defer session.Close()
	var errOut bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = in, out, &errOut
	done := make(chan error, 1)
	go func() { done <- session.Run(command) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		m.ssh.Close() // a machine that does not answer must not hold us
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("cannot run %q: %w: %s", tail(command, 200), err, tail(errOut.String(), 2000))
	}
	return nil
}

// Put copies a file into the machine, whole or not at all, with its permissions.
func (m *Machine) Put(ctx context.Context, from, to string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	part := to + ".part"
	command := fmt.Sprintf("mkdir -p %s && cat >%s && chmod %o %s && mv -f %s %s",
		Quote(path.Dir(to)), Quote(part), info.Mode().Perm(), Quote(part), Quote(part), Quote(to))
	return m.Pipe(ctx, command, file, io.Discard)
}

// Write puts these bytes into a file of the machine.
func (m *Machine) Write(ctx context.Context, to string, content []byte) error {
	return m.Pipe(ctx, "cat >"+Quote(to), bytes.NewReader(content), io.Discard)
}

// Get copies a file out of the machine.
func (m *Machine) Get(ctx context.Context, from, to string) error {
	file, err := os.OpenFile(to+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = m.Pipe(ctx, "cat "+Quote(from), nil, file)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(to+".part"))
	}
	return os.Rename(to+".part", to)
}

// Background starts a command that goes on after the call; what it writes is in the file log, its number is given back.
func (m *Machine) Background(ctx context.Context, command, log string) (pid string, err error) {
	out, err := m.Run(ctx, fmt.Sprintf("setsid sh -c %s </dev/null >%s 2>&1 & echo $!", Quote(command), Quote(log)))
	return strings.TrimSpace(out), err
}

// Quote makes one word of the shell out of any text.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
