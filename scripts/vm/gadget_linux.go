package vm

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Gadget is a USB device that the guest's own kernel plays (dummy_hcd, on root hubs that appear when first used):
// any identity, any bytes in its strings, several functions at once.
type Gadget struct {
	ID                      string
	VID, PID                string   // hexadecimal
	Serial, Product, Vendor string   // UTF-8, at most 126 characters (the kernel's limit)
	Functions               []string // mass_storage, hid, ecm, acm, rndis
}

// AddGadget plugs it in.
func (m *Machine) AddGadget(ctx context.Context, g Gadget) error {
	if err := m.carryStick(ctx, "/var/lib/lab/"+g.ID+".img"); err != nil {
		return err
	}
	if _, err := m.Run(ctx, gadgetScript(g)); err != nil {
		return fmt.Errorf("cannot add the gadget: %w", err)
	}
	return nil
}

// carryStick makes the stick's image in the machine. All of its content lies in the first megabyte.
func (m *Machine) carryStick(ctx context.Context, to string) error {
	file, err := os.Open(filepath.Join(m.Image.Root, "stick.img"))
	if err != nil {
		return err
	}
	defer file.Close()
	command := "mkdir -p /var/lib/lab && cat >" + Quote(to) + " && truncate -s 16M " + Quote(to)
	return m.Pipe(ctx, command, io.LimitReader(file, 1<<20), io.Discard)
}

// RemoveGadget unplugs it.
func (m *Machine) RemoveGadget(ctx context.Context, id string) error {
	_, err := m.Run(ctx, "set -e; cd /sys/kernel/config/usb_gadget/"+Quote(id)+"; echo > UDC; rm configs/c.1/*.*; rmdir configs/c.1/strings/0x409 configs/c.1 functions/* strings/0x409; cd ..; rmdir "+Quote(id))
	return err
}

// A boot keyboard's report descriptor: HID 1.11, appendix E.6.
const keyboardReport = "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508150025650507190029658100c0"

// gadgetScript follows https://docs.kernel.org/usb/gadget_configfs.html.
func gadgetScript(g Gadget) string {
	var s strings.Builder
	s.WriteString("set -e\nmodprobe libcomposite\nlsmod | grep -q dummy_hcd || modprobe dummy_hcd num=4\n")
	s.WriteString("mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config\n")
	fmt.Fprintf(&s, "mkdir /sys/kernel/config/usb_gadget/%s\ncd /sys/kernel/config/usb_gadget/%[1]s\n", Quote(g.ID))
	fmt.Fprintf(&s, "echo 0x%s >idVendor\necho 0x%s >idProduct\necho 0x0200 >bcdUSB\nmkdir strings/0x409 configs/c.1 configs/c.1/strings/0x409\n", g.VID, g.PID)
	for name, value := range map[string]string{"serialnumber": g.Serial, "product": g.Product, "manufacturer": g.Vendor} {
		if value != "" {
			fmt.Fprintf(&s, "printf %s >strings/0x409/%s\n", Quote(octal([]byte(value))), name)
		}
	}
	for _, function := range g.Functions {
		s.WriteString(functionScript(function, g))
		fmt.Fprintf(&s, "ln -s functions/%s.usb0 configs/c.1/\n", function)
	}
	s.WriteString(`for udc in $(ls /sys/class/udc); do
  grep -qsx "$udc" /sys/kernel/config/usb_gadget/*/UDC && continue
  echo "$udc" >UDC; exit 0
done
echo "no free UDC" >&2; exit 1
`)
	return s.String()
}

func functionScript(function string, g Gadget) string {
	make := "mkdir functions/" + function + ".usb0\n"
	switch function {
	case "mass_storage":
		return make + "echo " + Quote("/var/lib/lab/"+g.ID+".img") + " >functions/mass_storage.usb0/lun.0/file\n"
	case "hid":
		report, _ := hex.DecodeString(keyboardReport)
		return make + "cd functions/hid.usb0; echo 1 >protocol; echo 1 >subclass; echo 8 >report_length; printf " + Quote(octal(report)) + " >report_desc; cd ../..\n"
	}
	return make
}

// octal writes any bytes in a way that printf of every shell reads back.
func octal(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\%03o`, c)
	}
	return s.String()
}
