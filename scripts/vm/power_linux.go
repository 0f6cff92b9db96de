package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// Cable pulls the network cable or puts it back. While it is out, Run and its like do not reach the machine.
func (m *Machine) Cable(ctx context.Context, in bool) error {
	return m.control(ctx, func(q *qmp) error { return q.do("set_link", args{"name": "nic0", "up": in}, nil) })
}

// SetClock sets the machine's time of day; later boots go on from it.
func (m *Machine) SetClock(ctx context.Context, at time.Time) error {
	if err := m.SetHardwareClock(at); err != nil {
		return err
	}
	in, say := io.Pipe()
	defer in.Close()
	return m.Pipe(ctx, `echo ready; read t; date -u -s "@$t" >/dev/null`, in, onReady(func() {
		now := time.Now().Add(m.ClockOffset)
		fmt.Fprintf(say, "%d.%09d\n", now.Unix(), now.Nanosecond())
		say.Close()
	}))
}

// onReady runs once something is heard. The time is told only then: on a busy machine a command begins seconds late.
type onReady func()

func (f onReady) Write(p []byte) (int, error) {
	go f()
	return len(p), nil
}

// SetHardwareClock sets the time that the next PowerOn begins with, and leaves a running machine alone.
func (m *Machine) SetHardwareClock(at time.Time) error {
	m.ClockOffset = time.Until(at).Round(100 * time.Millisecond)
	return m.remember()
}

// PowerCut pulls the plug: what the guest had not yet written to its disk is lost. PowerOn starts it again.
func (m *Machine) PowerCut(ctx context.Context) error {
	err := m.keepInitrd(ctx)
	m.halt()
	return err
}

// Shutdown ends the machine as a person does, within a minute and a half. PowerOn starts it again.
func (m *Machine) Shutdown(ctx context.Context) error {
	if err := m.keepInitrd(ctx); err != nil {
		return err
	}
	if _, err := m.Background(ctx, "sleep 0.2; systemctl poweroff", "/dev/null"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for !m.gone() {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			m.halt()
			return fmt.Errorf("cannot shut the machine down: %w: %s", err, m.console())
		}
	}
	m.halt()
	return nil
}

// PowerOn boots the machine from its own disk, with these devices plugged in before its kernel starts.
func (m *Machine) PowerOn(ctx context.Context, present ...Device) error {
	if m.Alive() {
		return errors.New("cannot switch on a machine that runs")
	}
	return m.powerOn(ctx, false, present)
}

// Reboot is Shutdown and PowerOn. Restart is PowerCut and PowerOn.
func (m *Machine) Reboot(ctx context.Context, present ...Device) error {
	if err := m.Shutdown(ctx); err != nil {
		return err
	}
	return m.PowerOn(ctx, present...)
}

// Restart cuts the power and boots again from the same disk.
func (m *Machine) Restart(ctx context.Context, present ...Device) error {
	if err := m.PowerCut(ctx); err != nil {
		return err
	}
	return m.PowerOn(ctx, present...)
}

// keepInitrd copies the machine's own initial RAM disk out: QEMU is the boot loader here and reads it from our side.
func (m *Machine) keepInitrd(ctx context.Context) error {
	path, err := m.Run(ctx, "sync; echo /boot/initrd.img-$(uname -r)")
	if err != nil {
		return err
	}
	return m.Get(ctx, strings.TrimSpace(path), filepath.Join(m.Dir, "initrd"))
}
