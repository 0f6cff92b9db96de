package enforce

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
	"sekisho/internal/sysfs"
)

// kernel is a small simulated kernel over real files: what the hands write has the effects that sysfs has.
type kernel struct {
	t      *testing.T
	root   string
	wrote  []string            // "1 > 1-1:1.0/authorized", in order
	fails  map[string]error    // short path -> what writing it answers
	deaf   map[string]bool     // short path -> the write is taken and nothing happens
	before func(short string)  // called before every write: the place to pull a plug
	blocks map[string][]string // device -> block devices that its driver makes
	ran    []string            // programs
}

func newKernel(t *testing.T) *kernel {
	k := &kernel{t: t, root: t.TempDir(), fails: map[string]error{}, deaf: map[string]bool{}, blocks: map[string][]string{}}
	k.file("proc/1/mountinfo", "24 1 259:2 / / rw - ext4 /dev/nvme9n1p2 rw\n")
	k.file("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
	for _, bus := range []string{"usb", "mmc", "pci", "scsi", "thunderbolt"} {
		k.dir("sys/bus/" + bus + "/devices")
		k.file("sys/bus/"+bus+"/drivers_probe", "")
	}
	k.file("sys/bus/mmc/drivers_autoprobe", "1\n")
	for _, d := range []string{"usb/drivers/usb-storage", "mmc/drivers/mmcblk", "scsi/drivers/sd", "pci/drivers/nvme"} {
		k.file("sys/bus/"+d+"/unbind", "")
	}
	k.dir("sys/class/block")
	k.dir("dev")
	k.hub("usb1")
	return k
}

func (k *kernel) path(p string) string { return filepath.Join(k.root, p) }

func (k *kernel) dir(p string) {
	k.t.Helper()
	if err := os.MkdirAll(k.path(p), 0o755); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kernel) file(p, text string) {
	k.t.Helper()
	k.dir(filepath.Dir(p))
	if err := os.WriteFile(k.path(p), []byte(text), 0o644); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kernel) link(from, to string) {
	k.t.Helper()
	k.dir(filepath.Dir(from))
	if err := os.Symlink(k.path(to), k.path(from)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kernel) read(p string) string {
	data, _ := os.ReadFile(k.path(p))
	return strings.TrimSpace(string(data))
}

func (k *kernel) has(p string) bool {
	_, err := os.Lstat(k.path(p))
	return err == nil
}

// where is the real folder of a device.
func (k *kernel) where(bus, name string) string {
	real, _ := filepath.EvalSymlinks(k.path("sys/bus/" + bus + "/devices/" + name))
	rel, _ := filepath.Rel(k.root, real)
	return rel
}

func (k *kernel) hub(name string) {
	k.file("sys/devices/pci0/"+name+"/interface_authorized_default", "1\n")
	k.link("sys/bus/usb/devices/"+name, "sys/devices/pci0/"+name)
}

// usb plugs a device with interfaces of the given classes; each is bound when authorised.
func (k *kernel) usb(name, authorized string, classes ...string) {
	dir := "sys/devices/pci0/usb1/" + name
	k.file(dir+"/authorized", "1\n")
	k.link("sys/bus/usb/devices/"+name, dir)
	for i, class := range classes {
		in := name + ":1." + string(rune('0'+i))
		k.file(dir+"/"+in+"/bInterfaceClass", class+"\n")
		k.file(dir+"/"+in+"/authorized", authorized+"\n")
		k.link("sys/bus/usb/devices/"+in, dir+"/"+in)
		if authorized == "1" {
			k.bind("usb", in)
		}
	}
}

func (k *kernel) device(bus, name, dir string, attrs map[string]string) {
	k.dir(dir)
	for a, v := range attrs {
		k.file(dir+"/"+a, v+"\n")
	}
	k.link("sys/bus/"+bus+"/devices/"+name, dir)
}

var drivers = map[string]string{"usb": "usb-storage", "mmc": "mmcblk", "scsi": "sd", "pci": "nvme"}

// bind is what probing does: a driver, and the block devices it makes.
func (k *kernel) bind(bus, name string) {
	dir := k.where(bus, name)
	if k.has(dir+"/driver") || k.read(dir+"/authorized") == "0" {
		return
	}
	k.link(dir+"/driver", "sys/bus/"+bus+"/drivers/"+drivers[bus])
	for i, b := range k.blocks[name] {
		k.file(dir+"/block/"+b+"/dev", "8:"+string(rune('0'+i))+"\n")
		k.link("sys/class/block/"+b, dir+"/block/"+b)
		k.file("dev/"+b, "")
	}
}

func (k *kernel) unbind(bus, name string) {
	dir := k.where(bus, name)
	os.Remove(k.path(dir + "/driver"))
	os.RemoveAll(k.path(dir + "/block"))
	for _, b := range k.blocks[name] {
		os.Remove(k.path("sys/class/block/" + b))
		os.Remove(k.path("dev/" + b))
	}
}

func (k *kernel) unplug(bus, name string) {
	dir := k.where(bus, name)
	for _, child := range (tree{}).names(k.path(dir)) {
		if strings.HasPrefix(child, name+":") {
			k.unbind(bus, child)
			os.Remove(k.path("sys/bus/usb/devices/" + child))
		}
	}
	k.unbind(bus, name)
	os.RemoveAll(k.path(dir))
	os.Remove(k.path("sys/bus/" + bus + "/devices/" + name))
}

// write is sysfs' store: it never creates, and it has effects.
func (k *kernel) write(path, value string) error {
	value = strings.TrimSpace(value)
	short := tree{}.short(path)
	if k.before != nil {
		k.before(short)
	}
	k.wrote = append(k.wrote, value+" > "+short)
	if err := k.fails[short]; err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	if err := sysfs.Set(path, ""); err != nil || k.deaf[short] {
		return err
	}
	k.effect(path, value)
	return nil
}

func (k *kernel) effect(path, value string) {
	rel, _ := filepath.Rel(k.root, path)
	bus := strings.Split(rel, "/")[2]
	switch filepath.Base(path) {
	case "drivers_probe":
		k.bind(bus, value)
	case "unbind":
		k.unbind(bus, value)
	case "authorized":
		k.file(rel, value+"\n")
		if in := filepath.Base(filepath.Dir(rel)); value == "0" && strings.Contains(in, ":") {
			k.unbind("usb", in)
		}
	default:
		k.file(rel, value+"\n")
	}
}

func (k *kernel) did(what string) bool {
	for _, w := range k.wrote {
		if w == what {
			return true
		}
	}
	return false
}

// mounts is the host's mount table as the kernel here has it.
type mounts struct {
	k    *kernel
	busy map[string]bool
	log  []string
}

func (m *mounts) Sync(point string) error { m.log = append(m.log, "sync "+point); return nil }

func (m *mounts) Unmount(point string, lazy bool) error {
	if m.busy[point] && !lazy {
		return syscall.EBUSY
	}
	how := map[bool]string{false: "unmount ", true: "detach "}[lazy]
	m.log = append(m.log, how+point)
	return nil
}

func clock() time.Time { return time.Now() }

func (k *kernel) hand() (*Hand, *mounts) {
	m := &mounts{k: k, busy: map[string]bool{}}
	h := New(Options{Root: k.root, Log: zerolog.Nop(), Now: clock})
	h.sys.tree.write, h.sys.mounts = k.write, m
	return h, m
}

func (k *kernel) gate() *Gate {
	g := NewGate(Options{Root: k.root, Log: zerolog.Nop(), Now: clock})
	g.tree.write, g.sys.tree.write = k.write, k.write
	g.busy = func(context.Context, string) bool { return false }
	g.hasIt = func(p osexec.Program) bool { return p == osexec.UpdateInitramfs }
	g.run = func(_ context.Context, p osexec.Program, _ time.Duration, args ...string) error {
		k.ran = append(k.ran, string(p)+" "+strings.Join(args, " "))
		return nil
	}
	return g
}

var (
	block = policy.Decision{Action: policy.ActionBlock, Mode: policy.ModeEnforce}
	allow = policy.Decision{Action: policy.ActionAllow, Mode: policy.ModeEnforce}
)

func dev(bus, id string) policy.Device { return policy.Device{Bus: bus, ID: id} }

// want applies and compares the outcome; it gives the steps as text.
func want(t *testing.T, h *Hand, d policy.Device, what policy.Decision, outcome policy.Outcome) string {
	t.Helper()
	r := h.Apply(context.Background(), d, what)
	var b strings.Builder
	for _, s := range r.Steps {
		b.WriteString(s.Code + " " + s.Detail + "\n")
	}
	if r.Outcome != outcome {
		t.Errorf("%s: %s, want %s:\n%s", d.ID, r.Outcome, outcome, b.String())
	}
	return b.String()
}

// unlist takes a block device out of sysfs and leaves its name in /dev, as a udev that is late would.
func (k *kernel) unlist(name string) { os.Remove(k.path("sys/class/block/" + name)) }

func (k *kernel) dropInterface(name string) {
	dir := k.where("usb", name)
	k.unbind("usb", name)
	os.RemoveAll(k.path(dir))
}
