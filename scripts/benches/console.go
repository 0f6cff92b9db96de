//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"sekisho/console/store"
	"sekisho/scripts/load"
)

// console is a real sekisho-console with a folder and ports of its own.
type console struct {
	bin, dir  string
	terminals string // URL of the terminals' listener
	people    string
	cmd       *exec.Cmd
	log       bytes.Buffer
}

// newConsole makes the folder; listen is the address of this machine, to be reached by terminals as host.
func newConsole(b bench, listen, host string) (*console, error) {
	dir, err := os.MkdirTemp("", "sekisho-bench-console-")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	c := &console{bin: filepath.Join(b.bin, "sekisho-console"), dir: dir,
		people: fmt.Sprintf("https://127.0.0.1:%d", ports[0]), terminals: fmt.Sprintf("https://%s:%d", host, ports[1])}
	text := fmt.Sprintf("people: %q\nterminals: %q\nnames: [%q, \"127.0.0.1\"]\n",
		net.JoinHostPort(listen, fmt.Sprint(ports[0])), net.JoinHostPort(listen, fmt.Sprint(ports[1])), host)
	return c, os.WriteFile(filepath.Join(dir, "console.yaml"), []byte(text), 0o600)
}

func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// start runs it and waits until both listeners answer.
func (c *console) start(ctx context.Context) error {
	c.cmd = exec.Command(c.bin, "serve", "--state", c.dir)
	c.log.Reset()
	c.cmd.Stdout, c.cmd.Stderr = &c.log, &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the console: %w", err)
	}
	over := time.Now().Add(30 * time.Second)
	for {
		err := answers(ctx, c.people)
		if err == nil {
			err = answers(ctx, c.terminals)
		}
		if err == nil {
			return nil
		}
		if time.Now().After(over) || ctx.Err() != nil {
			c.kill()
			return fmt.Errorf("the console does not answer: %w: %s", err, c.log.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// answers says whether a TLS server is there; who it is does not matter here.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, port, _ := net.SplitHostPort(url[len("https://"):])
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// kill ends it at once (SIGKILL), as a crash does.
func (c *console) kill() {
	if c.cmd != nil && c.cmd.Process != nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
		c.cmd = nil
	}
}

// stop ends it as a service manager does.
func (c *console) stop() error {
	if c.cmd == nil {
		return nil
	}
	err := errors.Join(c.cmd.Process.Signal(syscall.SIGTERM), c.cmd.Wait())
	c.cmd = nil
	return err
}

func (c *console) close() {
	c.kill()
	os.RemoveAll(c.dir)
}

func (c *console) pid() int { return c.cmd.Process.Pid }

// codes puts enrolment codes into the database of a console that does not run but did once.
func (c *console) codes(ctx context.Context, n int) ([]string, error) {
	db, err := store.Open(ctx, c.database(), time.UTC)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	now := time.Now()
	codes := make([]string, n)
	for i := range codes {
		codes[i] = rand.Text()
		err := db.PutToken(ctx, store.Token{Hash: sha256.Sum256([]byte(codes[i])), Group: "default", Note: "bench", By: "bench", ExpiresAt: now.Add(time.Hour)}, now)
		if err != nil {
			return nil, err
		}
	}
	return codes, nil
}

func (c *console) database() string { return filepath.Join(c.dir, "console.db") }

// fingerprint of its CA, as it is read out to who installs an agent.
func (c *console) fingerprint() (string, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "ca.crt"))
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", errors.New("cannot read the CA's certificate")
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return "", err
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:]), nil
}

// enrol lets n terminals enrol over the wire, with the console running afterwards.
func (c *console) enrol(ctx context.Context, n int) ([]*load.Terminal, error) {
	if err := errors.Join(c.start(ctx), c.stop()); err != nil { // makes keys, schema and the first group
		return nil, err
	}
	codes, err := c.codes(ctx, n)
	if err != nil {
		return nil, err
	}
	fingerprint, err := c.fingerprint()
	if err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		return nil, err
	}
	terminals := make([]*load.Terminal, n)
	return terminals, each(n, 16, func(i int) (err error) {
		terminals[i], err = load.Enrol(ctx, c.terminals, fingerprint, codes[i], fmt.Sprintf("load-%04d", i))
		return err
	})
}

// each calls do for 0 to n-1, at most so many at the same time, and gives all faults.
func each(n, atOnce int, do func(int) error) error {
	var wg sync.WaitGroup
	places, faults := make(chan struct{}, atOnce), make([]error, n)
	for i := range n {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			faults[i] = do(i)
		})
	}
	wg.Wait()
	return errors.Join(faults...)
}
