package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Kind of a device that can be plugged.
type Kind string

// The kinds, each on the bus where a real one sits.
const (
	UAS      Kind = "uas"     // USB stick that speaks UAS (no second of grace: the fast one)
	BOT      Kind = "bot"     // USB stick that speaks bulk-only transport
	Hub      Kind = "hub"     // USB hub; plug behind it with Port "N.1"
	Keyboard Kind = "kbd"     //
	Mouse    Kind = "mouse"   //
	Reader   Kind = "ccid"    // IC-card reader
	MTP      Kind = "mtp"     // telephone
	Network  Kind = "net"     // USB network card, as a telephone that shares its network is one
	Card     Kind = "card"    // PCI Express network card, in a network of its own: 10.0.3.0/24 with a gateway at 10.0.3.2
	Serial   Kind = "serial"  // USB serial line
	Optical  Kind = "optical" // USB optical drive with a disc in it
	NVMe     Kind = "nvme"    // PCI Express disk
	SCSI     Kind = "scsi"    // internal disk that is hot-plugged (stands for SATA: QEMU's AHCI cannot; no virtio, which is part of a machine)
	SDCard   Kind = "sd"      // card into the built-in reader (Options.SDSlot)
)

// Kinds that Plug knows.
var Kinds = []Kind{UAS, BOT, Hub, Keyboard, Mouse, Reader, MTP, Network, Card, Serial, Optical, NVMe, SCSI, SDCard}

// Device to plug.
type Device struct {
	ID     string // names it for Unplug
	Kind   Kind
	Serial string
	Port   string // USB: "1" to "8", "N.1" behind a hub on port N; NVMe and card: "1" or "2"; first free when empty
	File   string // medium; a fresh 16 MiB vfat one with /SECRET.TXT when empty
}

// Plug puts a device into the running machine.
func (m *Machine) Plug(ctx context.Context, d Device) error {
	if d.ID == "" || !slices.Contains(Kinds, d.Kind) {
		return fmt.Errorf("cannot plug %q of kind %q: kinds are %v", d.ID, d.Kind, Kinds)
	}
	if err := m.medium(&d); err != nil {
		return fmt.Errorf("cannot prepare the medium: %w", err)
	}
	err := m.control(ctx, func(q *qmp) error { return plug(q, d) })
	if err != nil {
		return fmt.Errorf("cannot plug %s: %w", d.ID, err)
	}
	return nil
}

// medium makes what the device stores.
func (m *Machine) medium(d *Device) error {
	if d.File != "" {
		return nil
	}
	d.File = filepath.Join(m.Dir, "medium-"+d.ID)
	switch d.Kind {
	case UAS, BOT, Optical, NVMe, SCSI, SDCard:
		return copyFile(filepath.Join(m.Image.Root, "stick.img"), d.File)
	case MTP:
		if err := os.MkdirAll(d.File, 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(d.File, "SECRET.TXT"), []byte(Secret+"\n"), 0o600)
	}
	return nil
}

func plug(q *qmp, d Device) error {
	switch d.Kind {
	case UAS:
		return plugLUN(q, d, "usb-uas", "scsi-hd")
	case Optical:
		return plugLUN(q, d, "usb-bot", "scsi-cd")
	case BOT:
		return first(addDisk(q, d), func() error { return add(q, "usb-storage", d, args{"drive": node(d)}) })
	case NVMe:
		return first(addDisk(q, d), func() error {
			return q.do("device_add", args{"driver": "nvme", "id": d.ID, "drive": node(d), "serial": or(d.Serial, d.ID), "bus": "pci" + or(d.Port, "1")}, nil)
		})
	case SCSI:
		return first(addDisk(q, d), func() error {
			return q.do("device_add", args{"driver": "scsi-hd", "id": d.ID, "drive": node(d), "serial": d.Serial, "bus": "hba.0"}, nil)
		})
	case SDCard:
		return q.do("blockdev-change-medium", args{"device": "sd", "filename": d.File, "format": "raw"}, nil)
	case Network:
		return first(q.do("netdev_add", args{"type": "user", "id": node(d)}, nil), func() error { return add(q, "usb-net", d, args{"netdev": node(d)}) })
	case Card:
		return first(q.do("netdev_add", args{"type": "user", "id": node(d), "net": "10.0.3.0/24"}, nil), func() error {
			return q.do("device_add", args{"driver": "virtio-net-pci", "id": d.ID, "netdev": node(d), "bus": "pci" + or(d.Port, "1"), "romfile": ""}, nil)
		})
	case Serial:
		return first(q.do("chardev-add", args{"id": node(d), "backend": args{"type": "null", "data": args{}}}, nil),
			func() error { return add(q, "usb-serial", d, args{"chardev": node(d)}) })
	case MTP:
		return add(q, "usb-mtp", d, args{"rootdir": d.File})
	}
	return add(q, "usb-"+string(d.Kind), d, nil)
}

// plugLUN builds a USB device and its disk while the guest cannot see it, then shows it whole.
// https://www.qemu.org/docs/master/system/devices/usb.html ("attached")
func plugLUN(q *qmp, d Device, bridge, disk string) error {
	if err := addDisk(q, d); err != nil {
		return err
	}
	if err := add(q, bridge, d, nil); err != nil {
		return err
	}
	lun := args{"driver": disk, "id": d.ID + "-lun", "bus": d.ID + ".0", "drive": node(d), "lun": 0}
	if d.Serial != "" && disk == "scsi-hd" {
		lun["serial"] = d.Serial[:min(len(d.Serial), 36)] // QEMU's limit for a SCSI disk
	}
	if err := q.do("device_add", lun, nil); err != nil {
		return err
	}
	return q.do("qom-set", args{"path": "/machine/peripheral/" + d.ID, "property": "attached", "value": true}, nil)
}

func addDisk(q *qmp, d Device) error {
	return q.do("blockdev-add", args{"driver": "raw", "node-name": node(d), "read-only": d.Kind == Optical,
		"file": args{"driver": "file", "filename": d.File, "locking": "off"}}, nil)
}

// add adds a device on the USB controller.
func add(q *qmp, driver string, d Device, more args) error {
	with := args{"driver": driver, "id": d.ID, "bus": "xhci.0"}
	if d.Port != "" {
		with["port"] = d.Port
	}
	if d.Serial != "" {
		with["serial"] = d.Serial
	}
	for name, value := range more {
		with[name] = value
	}
	return q.do("device_add", with, nil)
}

// Unplug pulls a device out and waits until it is gone.
func (m *Machine) Unplug(ctx context.Context, id string) error {
	err := m.control(ctx, func(q *qmp) error {
		if err := q.do("device_del", args{"id": id}, nil); err != nil {
			return err
		}
		return q.await("DEVICE_DELETED", id)
	})
	if err != nil {
		return fmt.Errorf("cannot unplug %s: %w", id, err)
	}
	return m.control(ctx, func(q *qmp) error {
		_ = q.do("blockdev-del", args{"node-name": "medium-" + id}, nil) // a keyboard has none
		_ = q.do("netdev_del", args{"id": "medium-" + id}, nil)
		_ = q.do("chardev-remove", args{"id": "medium-" + id}, nil)
		return nil
	})
}

// EjectSD takes the card out of the built-in reader.
func (m *Machine) EjectSD(ctx context.Context) error {
	return m.control(ctx, func(q *qmp) error { return q.do("eject", args{"device": "sd", "force": true}, nil) })
}

func node(d Device) string { return "medium-" + d.ID }

func first(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// copyFile copies a medium; media are small.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
