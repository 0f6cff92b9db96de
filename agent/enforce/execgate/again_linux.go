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

// lookAgain prepares it while the process still waits; nil when it cannot, which is said unless the process is gone.
func (g *Gate) lookAgain(q question, hash string) *second {
	fd, err := unix.FcntlInt(uintptr(q.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return g.notAgain(err)
	}
	was, err := statFD(fd)
	if err != nil {
		unix.Close(fd)
		return g.notAgain(err)
	}
	proc, err := unix.PidfdOpen(int(q.pid), 0)
	if err != nil {
		unix.Close(fd)
		return g.notAgain(err)
	}
	return &second{g: g, fd: fd, pid: q.pid, proc: proc, hash: hash, was: was}
}

func (g *Gate) notAgain(err error) *second {
	if err != unix.ESRCH {
		g.Log.Warn().Err(err).Msg("cannot look at a program again once it runs")
	}
	return nil
}

// aLook is how long reading the file again may take.
const aLook = time.Minute

func (s *second) look() {
	defer unix.Close(s.fd)
	defer unix.Close(s.proc)
	if !s.running() {
		return // it never began, or is gone
	}
	ctx, cancel := context.WithTimeout(context.Background(), aLook) // bounded by itself
	defer cancel()
	sum, err := hashOf(ctx, int32(s.fd), s.was.size)
	switch {
	case err != nil:
		s.judge("", fmt.Sprintf("its content cannot be read again: %v", err))
	case sum != s.hash:
		s.judge(sum, "its content was changed between the check and the start")
	}
}

// judge ends a program of which nobody knows that it is permitted, where the policy enforces; elsewhere it is told.
func (s *second) judge(sum, note string) {
	n := Seen{Program: loneProgram(policy.ProgramFile, pathOf(int32(s.fd)), sum, s.was.size), UID: process(s.pid).uid(), Note: note}
	n.Decision = s.g.decide(n.Program)
	n.Decision.Action = policy.ActionBlock
	n.Outcome, _ = Outcome(n.Decision)
	if denies(n.Decision) {
		n.Outcome = policy.OutcomeEnded
		if err := unix.PidfdSendSignal(s.proc, unix.SIGKILL, nil, 0); err != nil {
			n.Outcome, n.Note = policy.OutcomeBlockFailed, fmt.Sprintf("%s; cannot end it: %v", note, err)
		}
	}
	s.g.note(&n)
}

// A process that was let through runs its file within microseconds; on a machine that is busy it may take longer.
const (
	tillItRuns = 2 * time.Second
	glance     = 2 * time.Millisecond
)

// running waits until the process runs the file.
func (s *second) running() bool {
	over, tick := time.NewTimer(tillItRuns), time.NewTicker(glance)
	defer over.Stop()
	defer tick.Stop()
	for {
		now, err := statPath(process(s.pid).at("exe"))
		if err != nil {
			return false
		}
		if now.same(s.was.identity) {
			return true
		}
		select {
		case <-tick.C:
		case <-over.C:
			return false
		}
	}
}
