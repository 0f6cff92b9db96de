package sensor

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/policy"
)

// machine is a terminal's file system that devices are plugged into.
type machine struct {
	t    *testing.T
	root string
	num  int
}

const (
	xhci = "devices/pci0000:00/0000:00:14.0/usb1"
	ahci = "devices/pci0000:00/0000:00:17.0"
)

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, root: t.TempDir()}
	m.dir("sys/bus/usb/devices")
	m.link("sys/bus/usb/devices/usb1", "sys/"+xhci)
	m.write("sys/"+xhci+"/idVendor", "1d6b\n")
	return m
}

func (m *machine) options() Options {
	return Options{Root: m.root, Log: zerolog.Nop(), Now: time.Now, System: []string{}}
}

func (m *machine) dir(name string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Join(m.root, name), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(name, content string) {
	m.t.Helper()
	m.dir(path.Dir(name))
	if err := os.WriteFile(filepath.Join(m.root, name), []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) link(name, to string) {
	m.t.Helper()
	m.dir(path.Dir(name))
	m.dir(to)
	up := strings.Repeat("../", strings.Count(name, "/"))
	os.Remove(filepath.Join(m.root, name))
	if err := os.Symlink(up+to, filepath.Join(m.root, name)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) attrs(dir string, attrs map[string]string) {
	for name, value := range attrs {
		m.write(path.Join("sys", dir, name), value+"\n")
	}
}

// usb puts a device on a port as the kernel shows it right after "add": no interface yet.
func (m *machine) usb(dir string, raw []byte, attrs map[string]string) string {
	m.num++
	m.attrs(dir, map[string]string{
		"idVendor": "0781", "idProduct": "5583", "manufacturer": "SanDisk", "product": "Ultra", "serial": "4C53",
		"devnum": fmt.Sprint(m.num), "removable": "removable", "authorized": "1", "bNumInterfaces": "",
	})
	m.attrs(dir, attrs)
	m.write(path.Join("sys", dir, "descriptors"), string(raw))
	m.link("sys/bus/usb/devices/"+path.Base(dir), "sys/"+dir)
	return dir
}

// configure makes the interfaces of the first setting, as the kernel does when it chooses configuration 1.
func (m *machine) configure(dir string, list ...iface) {
	numbers := map[uint8]bool{}
	for _, i := range list {
		numbers[i.number] = true
	}
	m.attrs(dir, map[string]string{"bNumInterfaces": fmt.Sprintf("%2d", len(numbers))})
	for _, i := range list {
		m.attrs(part(dir, i), map[string]string{
			"bInterfaceClass":    fmt.Sprintf("%02x", i.class),
			"bInterfaceSubClass": fmt.Sprintf("%02x", i.sub),
			"bInterfaceProtocol": fmt.Sprintf("%02x", i.protocol),
		})
	}
}

func part(dir string, i iface) string {
	return fmt.Sprintf("%s/%s:1.%d", dir, path.Base(dir), i.number)
}

func (m *machine) stick(port string) string {
	dir := m.usb(xhci+"/"+port, describes(bot), nil)
	m.configure(dir, bot)
	return dir
}

func (m *machine) pull(dir string) {
	m.t.Helper()
	os.RemoveAll(filepath.Join(m.root, "sys", dir))
	os.Remove(filepath.Join(m.root, "sys/bus/usb/devices", path.Base(dir)))
}

func (m *machine) enumerate() map[string]policy.Device {
	m.t.Helper()
	return m.enumerateWith(m.options())
}

func (m *machine) enumerateWith(o Options) map[string]policy.Device {
	found := map[string]policy.Device{}
	for _, d := range enumerate(o, o.tree()) {
		found[d.ID] = d
	}
	return found
}

// kernel is a source that the test speaks through.
type kernel struct {
	m      *machine
	said   chan signal
	closed chan struct{}
}

func (k *kernel) Next() (uevent, error) {
	select {
	case s := <-k.said:
		return s.event, s.err
	case <-k.closed:
		return uevent{}, os.ErrClosed
	}
}

func (k *kernel) Close() error {
	close(k.closed)
	return nil
}

// say sends an event in the kernel's own form.
func (k *kernel) say(action, dir, subsystem, devtype string, more ...string) {
	k.m.t.Helper()
	text := action + "@/" + dir + "\x00ACTION=" + action + "\x00DEVPATH=/" + dir + "\x00SUBSYSTEM=" + subsystem +
		"\x00DEVTYPE=" + devtype + "\x00" + strings.Join(more, "\x00") + "\x00"
	ev, err := parseUEvent([]byte(text))
	if err != nil {
		k.m.t.Fatal(err)
	}
	ev.at = time.Now()
	k.said <- signal{event: ev}
}

func (k *kernel) usb(action, dir string) {
	num, _ := os.ReadFile(filepath.Join(k.m.root, "sys", dir, "devnum"))
	k.say(action, dir, "usb", "usb_device", "PRODUCT=781/5583/100", fmt.Sprintf("DEVNUM=%03s", strings.TrimSpace(string(num))))
}

// story runs a watcher in fake time.
func story(t *testing.T, prepare func(*machine), o func(*Options), tell func(m *machine, k *kernel, events <-chan policy.Event)) {
	t.Helper()
	m := newMachine(t)
	prepare(m)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		k := &kernel{m, make(chan signal), make(chan struct{})}
		options := m.options()
		o(&options)
		events := watch(ctx, options, options.tree(), k)
		synctest.Wait()
		tell(m, k, events)
		cancel()
		synctest.Wait()
		for range events { // closed when ctx ends
		}
	})
}

func nothing(*machine) {}
func usual(o *Options) {}
func first(o *Options) { o.System = nil }

// heard gives what was told until now, as "attach 1-2".
func heard(events <-chan policy.Event) string {
	said := []string{}
	for _, ev := range fetch(events) {
		said = append(said, ev.What+" "+ev.Device.ID)
	}
	return strings.Join(said, ", ")
}

func fetch(events <-chan policy.Event) []policy.Event {
	synctest.Wait()
	var list []policy.Event
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				return list
			}
			list = append(list, ev)
			synctest.Wait()
		default:
			return list
		}
	}
}

func kinds(d policy.Device) string { return strings.Trim(fmt.Sprint(d.Kinds), "[]") }
