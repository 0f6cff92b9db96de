package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Options of one machine; the zero value is the saved, freshly booted one.
type Options struct {
	Cold     bool     // boot instead of restoring the saved state
	SDSlot   bool     // an SD card reader is built in; needs Cold
	Memory   int      // MiB; anything but 0 needs Cold
	Extra    []string // further QEMU arguments; need Cold
	Counted  bool     // its clock counts instructions; needs Cold
	Hostname string   // "terminal" when empty
	Present  []Device // plugged in before the kernel starts; need Cold
	Dir      string   // where overlay and sockets live; a temporary folder when empty
	Detached bool     // outlives the caller, for at most four hours

	overlay string
}

func (o Options) orDefault() Options {
	if o.Memory == 0 {
		o.Memory = 768
	}
	if o.Hostname == "" {
		o.Hostname = "terminal"
	}
	return o
}

func (o Options) check() error {
	if !o.Cold && (o.SDSlot || o.Memory != 0 || len(o.Extra) > 0 || len(o.Present) > 0 || o.Counted) {
		return errors.New("cannot change a saved machine: SDSlot, Memory, Extra, Present and Counted need Cold")
	}
	return nil
}

// Machine is one running terminal. Its methods may be called from several goroutines, those of power not.
type Machine struct {
	record
	log   Log
	ssh   *link
	exits chan struct{} // closed when QEMU is gone; nil for a machine that another process started
}

// record is what another process needs to know about a running machine.
type record struct {
	Dir     string
	Overlay string
	Port    int
	PID     int
	Options Options
	// ClockOffset is how far the machine's clock is ahead of the host's.
	ClockOffset time.Duration
	Image       origin
}

type origin struct{ Root, Booted, Key string }

// Start runs a machine on a fresh overlay and gives it when ssh answers and its clock is right.
func (image *Image) Start(ctx context.Context, o Options) (*Machine, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.orDefault()
	m := &Machine{log: image.log}
	m.Image = origin{Root: image.root, Booted: image.booted, Key: image.key}
	m.Options = o
	if err := m.prepare(ctx, o); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if err := m.powerOn(ctx, !o.Cold, o.Present); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Machine) image() *Image {
	return &Image{root: m.Image.Root, booted: m.Image.Booted, key: m.Image.Key, log: m.log}
}

func (m *Machine) prepare(ctx context.Context, o Options) (err error) {
	if m.Dir = o.Dir; m.Dir == "" {
		if m.Dir, err = os.MkdirTemp("", "sekisho-lab-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return err
	}
	if m.Overlay = o.overlay; m.Overlay == "" {
		m.Overlay = filepath.Join(m.Dir, "disk.qcow2")
	}
	base, format := filepath.Join(m.Image.Root, "disk.raw"), "raw"
	if !o.Cold {
		base, format = filepath.Join(m.Image.Booted, "disk.qcow2"), "qcow2"
	}
	return run(ctx, time.Minute, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", format, m.Overlay)
}

// powerOn starts QEMU, plugs what is present at start, lets the processor run and waits for ssh.
func (m *Machine) powerOn(ctx context.Context, restore bool, present []Device) error {
	limit := 3 * time.Minute
	if m.Options.Counted { // it has one processor, and boots in three quarters of a minute where others boot in a quarter
		limit *= 3
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := m.launch(restore); err != nil {
		return fmt.Errorf("cannot start QEMU: %w", err)
	}
	if err := m.release(ctx, present); err != nil {
		return fmt.Errorf("%w: %s", err, m.console())
	}
	m.ssh = &link{port: m.Port, key: m.Image.Key}
	if err := m.ssh.await(ctx); err != nil {
		return fmt.Errorf("cannot reach the machine by ssh: %w: %s", err, m.console())
	}
	return m.settle(ctx)
}

// settle gives the machine today's date (a restored one believes it is still the day of the build) and its name.
func (m *Machine) settle(ctx context.Context) error {
	if err := m.SetClock(ctx, time.Now().Add(m.ClockOffset)); err != nil {
		return err
	}
	_, err := m.Run(ctx, "hostname "+m.Options.Hostname+" && echo "+m.Options.Hostname+" >/etc/hostname && sed -i 's/^127.0.0.1.*/127.0.0.1 localhost "+m.Options.Hostname+"/' /etc/hosts")
	return err
}

// launch starts the process with the processor halted and remembers it.
func (m *Machine) launch(restore bool) (err error) {
	if m.Port, err = freePort(); err != nil {
		return err
	}
	paths := files{qmp: m.socket(), serial: filepath.Join(m.Dir, "console.log"), overlay: m.Overlay,
		kernel: filepath.Join(m.Image.Root, "vmlinux"), initrd: m.initrd(), clock: m.clockBase()}
	flags := append(m.image().flags(m.Options, paths, m.Port), "-S")
	if restore {
		flags = append(flags, "-incoming", "exec:cat '"+filepath.Join(m.Image.Booted, "state")+"'")
	}
	os.Remove(m.socket())
	program := []string{"qemu-system-x86_64"}
	if m.Options.Detached {
		program = []string{"timeout", "--kill-after=5", "4h", "qemu-system-x86_64"}
	}
	cmd := exec.Command(program[0], append(program[1:], flags...)...)
	errors, err := os.Create(filepath.Join(m.Dir, "qemu.log"))
	if err != nil {
		return err
	}
	defer errors.Close()
	cmd.Stdout, cmd.Stderr = errors, errors
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if m.Options.Detached {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if err := m.spawn(cmd); err != nil {
		return err
	}
	m.PID = cmd.Process.Pid
	return m.remember()
}

// spawn keeps the starting thread for the life of the process: Linux sends the parent-death signal when that thread ends.
func (m *Machine) spawn(cmd *exec.Cmd) error {
	started, exits := make(chan error), make(chan struct{})
	m.exits = exits
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exits)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how QEMU ended is in its log
		}
	}()
	return <-started
}

// release waits until QEMU is ready (a saved state is read), plugs, and lets the processor run.
func (m *Machine) release(ctx context.Context, present []Device) error {
	for {
		var status struct{ Status string }
		err := m.control(ctx, func(q *qmp) error { return q.do("query-status", nil, &status) })
		if err == nil && status.Status != "inmigrate" {
			break
		}
		if m.gone() {
			return fmt.Errorf("QEMU ended at once: %s", m.text("qemu.log"))
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	for _, d := range present {
		if err := m.Plug(ctx, d); err != nil {
			return err
		}
	}
	return m.control(ctx, func(q *qmp) error { return q.do("cont", nil, nil) })
}

// save writes the running machine's memory into a file and ends it; its overlay is then the disk of that moment.
func (m *Machine) save(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	m.ssh.Close()
	return m.control(ctx, func(q *qmp) error {
		if err := q.do("stop", nil, nil); err != nil {
			return err
		}
		if err := q.do("migrate-set-parameters", args{"max-bandwidth": 8 << 30}, nil); err != nil {
			return err
		}
		if err := q.do("migrate", args{"uri": "exec:cat >'" + path + "'"}, nil); err != nil {
			return err
		}
		for {
			var now struct{ Status string }
			if err := q.do("query-migrate", nil, &now); err != nil {
				return err
			}
			switch now.Status {
			case "completed":
				return nil
			case "failed", "cancelled":
				return fmt.Errorf("cannot save the machine: %s", now.Status)
			}
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
	})
}

// Close ends the machine and removes what it leaves.
func (m *Machine) Close() error {
	m.halt()
	if m.Dir == "" {
		return nil
	}
	return os.RemoveAll(m.Dir)
}

// halt ends QEMU as if the plug were pulled, and waits until it is gone.
func (m *Machine) halt() {
	if m.ssh != nil {
		m.ssh.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if m.PID == 0 || m.gone() {
		return
	}
	_ = m.control(ctx, func(q *qmp) error { return q.do("quit", nil, nil) })
	for !m.gone() {
		if pause(ctx, 10*time.Millisecond) != nil {
			_ = syscall.Kill(-m.PID, syscall.SIGKILL) // our own process group only
			return
		}
	}
}

func (m *Machine) gone() bool {
	if m.exits != nil {
		select {
		case <-m.exits:
			return true
		default:
			return false
		}
	}
	_, err := os.Stat("/proc/" + strconv.Itoa(m.PID) + "/stat")
	return err != nil
}

// control holds one conversation with QEMU.
func (m *Machine) control(ctx context.Context, talk func(*qmp) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	q, err := dialQMP(ctx, m.socket())
	if err != nil {
		return err
	}
	defer q.Close()
	return talk(q)
}

func (m *Machine) socket() string { return filepath.Join(m.Dir, "qmp") }

// initrd is the machine's own once it has made one (see keepInitrd), else the image's.
func (m *Machine) initrd() string {
	own := filepath.Join(m.Dir, "initrd")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return filepath.Join(m.Image.Root, "initrd")
}

func (m *Machine) text(name string) string {
	content, _ := os.ReadFile(filepath.Join(m.Dir, name))
	return tail(string(content), 2000)
}

// console is what the guest wrote on its serial line.
func (m *Machine) console() string { return m.text("console.log") + m.text("qemu.log") }

func (m *Machine) remember() error {
	content, err := json.Marshal(m.record)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.Dir, "machine.json"), content, 0o600)
}

// Attach finds a machine that another process started detached in this folder.
func Attach(dir string, log Log) (*Machine, error) {
	content, err := os.ReadFile(filepath.Join(dir, "machine.json"))
	if err != nil {
		return nil, fmt.Errorf("cannot find the machine: %w", err)
	}
	m := &Machine{log: log}
	if err := json.Unmarshal(content, &m.record); err != nil {
		return nil, fmt.Errorf("cannot read the machine's record: %w", err)
	}
	m.ssh = &link{port: m.Port, key: m.Image.Key}
	return m, nil
}

// Alive says whether the machine runs.
func (m *Machine) Alive() bool { return m.PID != 0 && !m.gone() }

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// clockBase is what QEMU's hardware clock starts from; "utc" is the host's time.
func (m *Machine) clockBase() string {
	if m.ClockOffset == 0 {
		return "utc"
	}
	return time.Now().Add(m.ClockOffset).UTC().Format("2006-01-02T15:04:05")
}
