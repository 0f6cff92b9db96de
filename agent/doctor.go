package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce"
	"sekisho/agent/link"
	"sekisho/agent/local"
	"sekisho/agent/sensor"
	"sekisho/internal/policy"
)

// Results of a check. Unknown is a result of its own, never a pass.
const (
	checkPass    = "pass"
	checkFail    = "fail"
	checkUnknown = "unknown"
)

// Bounds of what is well.
const (
	clockWell = 5 * time.Minute
	spaceWell = 256 << 20
	queueWell = 10_000
	contactOK = 30 * time.Minute
)

// finding is the result of one check, with what to do when it is no pass.
type finding struct {
	name, result, detail, advice string
}

// patient is what the doctor looks at.
type patient struct {
	root, socket string
	config       config
	answer       local.Answer // of the running agent
	answerErr    error
	now          time.Time
}

func doctorCommand(ctx context.Context, s streams, args []string) error {
	f := flags("doctor")
	path := f.String("config", defaultConfig, "configuration `file`")
	socket := f.String("socket", defaultSocket, "`path` of the agent's local socket")
	if err := parse(s, f, args, "Checks what could keep the agent from its work, and says what to do."); err != nil {
		return err
	}
	p := patient{root: "/", socket: *socket, now: time.Now()}
	var err error
	if p.config, err = readConfig(*path); err != nil {
		return err
	}
	p.answer, p.answerErr = local.Ask(ctx, p.socket, local.Request{Ask: local.AskStatus})
	return tellFindings(s, p.examine())
}

func (p patient) examine() []finding {
	found := []finding{p.rights(), p.running(), p.sees(), p.gate(), p.desktop(), p.console(), p.certificate(), p.clock(), p.queue(), p.space()}
	return append(found, descriptorFindings()...)
}

// tellFindings prints the table; the command fails when a check did.
func tellFindings(s streams, found []finding) error {
	var rows [][]string
	bad := 0
	for _, f := range found {
		rows = append(rows, []string{f.result, f.name, f.detail})
		if f.result != checkPass && f.advice != "" {
			rows = append(rows, []string{"", "", "→ " + f.advice})
		}
		if f.result == checkFail {
			bad++
		}
	}
	table(s.out, rows)
	if bad > 0 {
		return fmt.Errorf("cannot call this terminal healthy: %d of %d checks failed", bad, len(found))
	}
	return nil
}

// judged is a finding by one condition.
func judged(name string, ok bool, detail, advice string) finding {
	if ok {
		return finding{name, checkPass, detail, ""}
	}
	return finding{name, checkFail, detail, advice}
}

func unknown(name string, err error, advice string) finding {
	return finding{name, checkUnknown, err.Error(), advice}
}

func (p patient) rights() finding {
	if privileged() {
		return finding{"rights", checkPass, "root", ""}
	}
	return finding{"rights", checkUnknown, "not root: some checks cannot look", "run doctor as root"}
}

func (p patient) running() finding {
	if p.answerErr != nil {
		return finding{"agent", checkFail, p.answerErr.Error(), "`systemctl start sekisho-agent`, then `journalctl -u sekisho-agent`"}
	}
	faults := p.answer.Status.Faults
	return judged("agent", len(faults) == 0, fmt.Sprintf("version %s, %d faults %q", p.answer.Status.Agent, len(faults), faults), "each fault says what to do or is explained in the manual")
}

// sees tries both eyes: sysfs by reading it, the kernel's messages by subscribing for a moment.
func (p patient) sees() finding {
	o := sensor.Options{Root: p.root, Log: zerolog.Nop(), Now: time.Now, System: []string{}}
	devices, err := sensor.Enumerate(o)
	if err != nil {
		return finding{"devices", checkFail, err.Error(), "sysfs must be mounted on /sys"}
	}
	ctx, cancel := context.WithCancel(context.Background())
	events, err := sensor.Watch(ctx, o)
	cancel()
	if err != nil {
		return finding{"devices", checkFail, err.Error(), "the kernel's netlink messages must not be forbidden to the agent"}
	}
	for range events {
	}
	return finding{"devices", checkPass, fmt.Sprintf("%d devices read, kernel messages received", len(devices)), ""}
}

// gate compares the kernel's switches and the udev rules with what the policy wants.
func (p patient) gate() finding {
	state := enforce.NewGate(enforce.Options{Root: p.root, Log: zerolog.Nop(), Now: time.Now}).State()
	switch {
	case p.answerErr != nil:
		return finding{"gate", checkUnknown, state, "start the agent: it knows what the policy wants"}
	case p.answer.Status.Gate == "none":
		return finding{"gate", checkPass, state + "; the agent only looks", ""}
	}
	want := "open"
	if p.answer.Status.Mode == string(policy.ModeEnforce) {
		want = "shut"
	}
	return judged("gate", state == want, state, "should be "+want+"; restart the agent, then look who else writes /sys/bus/usb or /etc/udev/rules.d")
}

func (p patient) desktop() finding {
	t := local.Teller{Root: p.root, Log: zerolog.Nop()}
	if err := t.Ready(); err != nil {
		return finding{"desktop", checkFail, err.Error(), "users are told by the journal and the console only"}
	}
	return finding{"desktop", checkPass, fmt.Sprintf("%d sessions can be told", t.Sessions()), ""}
}

func (p patient) console() finding {
	l := p.answer.Link
	switch {
	case p.answerErr != nil:
		return unknown("console", p.answerErr, "start the agent: only it speaks to the console")
	case l.Server == "":
		return finding{"console", checkFail, "none is configured", "`sekisho-agent install --server … --fingerprint … --token …`"}
	case l.Error != "":
		return finding{"console", checkFail, l.Error, "check address, network and the console itself"}
	}
	return judged("console", !l.Contact.IsZero() && p.now.Sub(l.Contact) < contactOK, "last contact "+l.Contact.Local().Format(time.DateTime), "check the network")
}

func (p patient) certificate() finding {
	id, err := link.Load(p.config.State)
	switch {
	case notEnrolled(err):
		return finding{"certificate", checkFail, "not enrolled", "`sekisho-agent enroll`"}
	case errors.Is(err, os.ErrPermission):
		return unknown("certificate", err, "run doctor as root")
	case err != nil:
		return finding{"certificate", checkFail, err.Error(), "enrol this terminal again"}
	}
	cert, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		return finding{"certificate", checkFail, err.Error(), "enrol this terminal again"}
	}
	inside := p.now.After(cert.NotBefore) && p.now.Before(cert.NotAfter)
	return judged("certificate", inside, fmt.Sprintf("terminal %s, until %s", id.Terminal, cert.NotAfter.Local().Format(time.DateOnly)), "enrol this terminal again; check the clock first")
}

func (p patient) clock() finding {
	if p.answerErr != nil {
		return unknown("clock", p.answerErr, "start the agent: it knows the console's time")
	}
	if p.answer.Link.Contact.IsZero() {
		return finding{"clock", checkUnknown, "the console was not heard since the agent started", "reach the console"}
	}
	offset := p.now.Sub(p.answer.Status.At).Round(time.Second)
	return judged("clock", offset.Abs() < clockWell, fmt.Sprintf("%s against the console", offset), "set the clock; permissions go by the console's time meanwhile")
}

func (p patient) queue() finding {
	if p.answerErr != nil {
		return unknown("records", p.answerErr, "start the agent")
	}
	n := p.answer.Status.Unsent
	return judged("records", n < queueWell, fmt.Sprintf("%d wait for the console", n), "reach the console; the oldest are given up when the journal is full, and that is recorded")
}

func (p patient) space() finding {
	dir := p.config.State
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Dir(dir)
	}
	free, err := freeSpace(dir)
	if err != nil {
		return unknown("disk space", err, "run doctor as root")
	}
	return judged("disk space", free >= spaceWell, fmt.Sprintf("%d MiB free for %s", free>>20, p.config.State), "make room: without it records are kept in memory only")
}
