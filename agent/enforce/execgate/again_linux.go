package execgate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/internal/policy"
)

// second is another look at a program that was permitted by its content and lies where others can write: between the
// first look and its start somebody may have written to it. Once it runs the kernel refuses writers (ETXTBSY, open(2)).
type second struct {
	g    *Gate
	fd   int // of the file
	pid  int32
	proc int // pidfd: the number alone may be another's by then
	hash string
	was  facts
}

// lookAgain prepares it while the process still waits; nil when it cannot.
func (g *Gate) lookAgain(q question, hash string) *second {
	fd, err := unix.FcntlInt(uintptr(q.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	proc, err := unix.PidfdOpen(int(q.pid), 0)
	if err != nil {
		unix.Close(fd)
		return nil
	}
	was, _ := statFD(fd)
	return &second{g: g, fd: fd, pid: q.pid, proc: proc, hash: hash, was: was}
}

func (s *second) look() {
	defer unix.Close(s.fd)
	defer unix.Close(s.proc)
	if !s.running() {
		return // it never began, or is gone
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sum, err := hashOf(ctx, int32(s.fd), s.was.size)
	if err == nil && sum == s.hash {
		return
	}
	killed := unix.PidfdSendSignal(s.proc, unix.SIGKILL, nil, 0)
	o, note := policy.OutcomeEnded, "its content was changed between the check and the start"
	if killed != nil {
		o, note = policy.OutcomeBlockFailed, fmt.Sprintf("%s; cannot end it: %v", note, killed)
	}
	p := loneProgram(policy.ProgramFile, pathOf(int32(s.fd)), sum, s.was.size)
	d := s.g.Decide(p)
	d.Action = policy.ActionBlock
	s.g.note(&Seen{Program: p, Decision: d, Outcome: o, UID: process(s.pid).uid(), Note: note})
}

// running waits until the process runs the file, at most for two seconds.
func (s *second) running() bool {
	for over := time.Now().Add(2 * time.Second); time.Now().Before(over); time.Sleep(2 * time.Millisecond) {
		now, err := statPath(process(s.pid).at("exe"))
		if err != nil {
			return false
		}
		if now.same(s.was.identity) {
			return true
		}
	}
	return false
}
