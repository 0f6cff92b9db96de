package sensor

import (
	"path/filepath"
	"syscall"
	"testing"
)

// logind keeps both ends of a session's FIFO open; reading it would stop the guard until that session ends.
func TestASessionsFIFOIsNotRead(t *testing.T) {
	m := newMachine(t)
	m.write("etc/passwd", "sato:x:1000:1000::/home/sato:/bin/sh\n")
	m.write("run/systemd/sessions/3", "UID=1000\nUSER=sato\nACTIVE=1\nSTATE=active\nREMOTE=1\nCLASS=user\n")
	fifo := filepath.Join(m.root, "run/systemd/sessions/3.ref")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := syscall.Open(fifo, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(held)
	want(t, "who", User(m.options()), "sato")
}
