package sensor

import (
	"slices"
	"testing"

	"sekisho/internal/policy"
)

// pc is an ordinary Windows PC: its own NVMe disk, a hub with a keyboard, an optical drive.
func pc(more ...node) forest {
	return newForest(append([]node{
		{id: `HTREE\ROOT\0`},
		{id: `PCI\VEN_8086&DEV_A36D\3&11583659&0&A0`, parent: `HTREE\ROOT\0`},
		{id: `USB\ROOT_HUB30\4&34a1&0&0`, parent: `PCI\VEN_8086&DEV_A36D\3&11583659&0&A0`, started: true},
		{id: `USB\VID_05E3&PID_0610\5&1&0&1`, parent: `USB\ROOT_HUB30\4&34a1&0&0`, started: true,
			compatible: []string{`USB\Class_09&SubClass_00&Prot_02`, `USB\Class_09`}},
		{id: `USB\VID_046D&PID_C31C\6&2&0&1`, parent: `USB\VID_05E3&PID_0610\5&1&0&1`, started: true,
			compatible: []string{`USB\DevClass_00&SubClass_00&Prot_00`, `USB\COMPOSITE`}},
		{id: `USB\VID_046D&PID_C31C&MI_00\7&1&0&0000`, parent: `USB\VID_046D&PID_C31C\6&2&0&1`,
			compatible: []string{`USB\Class_03&SubClass_01&Prot_01`, `USB\Class_03`}},
		{id: `USB\VID_046D&PID_C31C&MI_01\7&1&0&0001`, parent: `USB\VID_046D&PID_C31C\6&2&0&1`,
			compatible: []string{`USB\Class_03&SubClass_00&Prot_00`}},
		{id: `PCI\VEN_144D&DEV_A808\4&9&0&E0`, parent: `HTREE\ROOT\0`},
		{id: `SCSI\Disk&Ven_NVMe&Prod_SAMSUNG\5&8&0&0`, parent: `PCI\VEN_144D&DEV_A808\4&9&0&E0`, class: classDiskDrive, started: true,
			medium: &medium{bus: storageBusNVMe, product: "SAMSUNG", serial: "S64A"}, capacity: 1 << 40, system: true},
		{id: `SCSI\CdRom&Ven_HL&Prod_DVDRAM\4&2&0&1`, parent: `PCI\VEN_8086&DEV_A36D\3&11583659&0&A0`, class: classCDROM, started: true,
			medium: &medium{bus: 0x0b, removable: true, serial: "K1"}},
	}, more...))
}

const hub = `USB\VID_05E3&PID_0610\5&1&0&1`

func find(t *testing.T, f forest, id string) sighting {
	t.Helper()
	for _, s := range f.sightings() {
		if s.device.ID == id {
			return s
		}
	}
	t.Fatalf("%s is not seen among %v", id, f.sightings())
	return sighting{}
}

func TestAnOrdinaryPCShowsKeyboardHubDiskAndDrive(t *testing.T) {
	f := pc()
	if n := len(f.sightings()); n != 4 {
		t.Fatalf("%d devices: %+v", n, f.sightings())
	}
	keyboard := find(t, f, `USB\VID_046D&PID_C31C\6&2&0&1`)
	if !slices.Equal(keyboard.device.Kinds, []policy.Kind{policy.KindHID, policy.KindKeyboard}) || !keyboard.settled {
		t.Errorf("%+v", keyboard)
	}
	disk := find(t, f, `SCSI\Disk&Ven_NVMe&Prod_SAMSUNG\5&8&0&0`)
	if d := disk.device; d.Bus != policy.BusNVMe || d.Vendor != "144d" || d.Product != "a808" || d.Serial != "S64A" || !disk.system {
		t.Errorf("%+v", disk)
	}
	drive := find(t, f, `SCSI\CdRom&Ven_HL&Prod_DVDRAM\4&2&0&1`)
	if drive.system || !drive.device.Has(policy.KindOptical) || drive.device.Bus != policy.BusSCSI {
		t.Errorf("%+v", drive)
	}
}

func TestAStickIsOneDeviceWithItsDisk(t *testing.T) {
	id := `USB\VID_0781&PID_5583\4C531001`
	f := pc(
		node{id: id, parent: hub, started: true, removable: true, name: "Ultra", location: "PCIROOT(0)#USB(3)",
			compatible: []string{`USB\Class_08&SubClass_06&Prot_50`, `USB\Class_08&SubClass_06`, `USB\Class_08`}},
		node{id: `USBSTOR\Disk&Ven_SanDisk&Prod_Ultra&Rev_1.00\4C531001&0`, parent: id, class: classDiskDrive, capacity: 32 << 30,
			medium: &medium{bus: storageBusUSB, removable: true}},
		node{id: `STORAGE\Volume\_??_USBSTOR#Disk&Ven_SanDisk\{53f56307}`, parent: `USBSTOR\Disk&Ven_SanDisk&Prod_Ultra&Rev_1.00\4C531001&0`},
		node{id: `SWD\WPDBUSENUM\_??_USBSTOR#DISK`, parent: `HTREE\ROOT\0`, class: classWPD},
	)
	s := find(t, f, id)
	d := s.device
	if d.Bus != policy.BusUSB || d.Serial != "4C531001" || d.Capacity != 32<<30 || d.Port == "" || !d.External || s.system ||
		!slices.Equal(d.Kinds, []policy.Kind{policy.KindStorage}) {
		t.Errorf("%+v", d)
	}
	if n := len(f.sightings()); n != 5 {
		t.Errorf("%d devices: the disk or the shadow of the stick was told as well", n)
	}
}

func TestAUASDiskIsAUSBDeviceAlthoughItsDiskSaysSCSI(t *testing.T) {
	id := `USB\VID_152D&PID_0583\DD5641`
	f := pc(
		node{id: id, parent: hub, class: "{4d36e97b-e325-11ce-bfc1-08002be10318}", started: true,
			compatible: []string{`USB\Class_08&SubClass_06&Prot_62`, `USB\Class_08&SubClass_06&Prot_50`}},
		node{id: `SCSI\Disk&Ven_JMicron&Prod_Tech\6&3&0&0`, parent: id, class: classDiskDrive, started: true,
			medium: &medium{bus: storageBusUSB}, capacity: 1 << 40},
	)
	if d := find(t, f, id).device; len(d.Interfaces) != 2 || !d.Has(policy.KindStorage) || d.Has(policy.KindSystem) || d.Capacity != 1<<40 {
		t.Errorf("%+v", d)
	}
}

func TestAStickThatTypesShowsAllItsParts(t *testing.T) {
	id := `USB\VID_1337&PID_0001\X`
	f := pc(
		node{id: id, parent: hub, started: true, compatible: []string{`USB\DevClass_EF&SubClass_02&Prot_01`, `USB\COMPOSITE`}},
		node{id: `USB\VID_1337&PID_0001&MI_00\7&1&0&0000`, parent: id, compatible: []string{`USB\Class_08&SubClass_06&Prot_50`}},
		node{id: `USB\VID_1337&PID_0001&MI_01\7&1&0&0001`, parent: id, compatible: []string{`USB\Class_03&SubClass_01&Prot_01`}},
	)
	if d := find(t, f, id).device; !policy.Composite(d.Kinds) || d.Class != "ef/02/01" {
		t.Errorf("%+v", d)
	}
}

func TestACompositeDeviceWithoutFunctionsIsUnknownAndNotSettled(t *testing.T) {
	id := `USB\VID_1337&PID_0001\X`
	s := find(t, pc(node{id: id, parent: hub, started: true, compatible: []string{`USB\DevClass_00&SubClass_00&Prot_00`, `USB\COMPOSITE`}}), id)
	if s.settled || !s.device.Has(policy.KindUnknown) || s.device.Fault == "" {
		t.Errorf("%+v", s)
	}
}

func TestATelephoneThatHidesBehindAVendorClassIsPortable(t *testing.T) {
	id := `USB\VID_04E8&PID_6860\R58`
	s := find(t, pc(node{id: id, parent: hub, class: classWPD, started: true,
		compatible: []string{`USB\MS_COMP_MTP`, `USB\Class_FF&SubClass_FF&Prot_00`}}), id)
	if !s.device.Has(policy.KindPortable) || !s.device.Has(policy.KindVendor) {
		t.Errorf("%+v", s.device)
	}
}

func TestACardInAnInternalReaderIsACardAndSDIOIsNot(t *testing.T) {
	reader := node{id: `PCI\VEN_8086&DEV_9D2D\3&1&0&F0`, parent: `HTREE\ROOT\0`}
	card := node{id: `SD\VID_03&OID_5344&PID_SU08G&REV_8.0\5&3a7e&0&0`, parent: reader.id, compatible: []string{`SD\CLASS_STORAGE`}, removable: true}
	f := pc(reader, card,
		node{id: `SD\Disk&Generic\6&1&0&0`, parent: card.id, class: classDiskDrive, medium: &medium{bus: storageBusSD, serial: "e1"}, capacity: 8 << 30},
		node{id: `SD\VID_02D0&PID_4345\5&9&0&1`, parent: reader.id, compatible: []string{`SD\CLASS_07`}},
	)
	s := find(t, f, card.id)
	if d := s.device; d.Bus != policy.BusMMC || d.Vendor != "0003" || d.Product != "5344" || d.Serial != "e1" || s.system {
		t.Errorf("%+v", s)
	}
	if n := len(f.sightings()); n != 5 {
		t.Errorf("%d devices: %+v", n, f.sightings())
	}
}

func TestSoftwareDisksAreNotDevices(t *testing.T) {
	f := pc(
		node{id: `SCSI\Disk&Ven_Msft&Prod_Virtual_Disk\2&1`, class: classDiskDrive, medium: &medium{bus: storageBusFile}},
		node{id: `VMBUS\{1}\{2}`, parent: `HTREE\ROOT\0`},
		node{id: `SCSI\Disk&Ven_Msft&Prod_Virtual_Disk\5&1`, parent: `VMBUS\{1}\{2}`, class: classDiskDrive, medium: &medium{bus: 0x0a}},
	)
	if n := len(f.sightings()); n != 4 {
		t.Errorf("%d devices: %+v", n, f.sightings())
	}
}

func TestADiskThatWasTakenAwayBeforeARebootIsNotTheMachinesOwn(t *testing.T) {
	id := `SCSI\Disk&Ven_NVMe&Prod_ENCLOSURE\5&77&0&0`
	s := find(t, pc(node{id: id, parent: `HTREE\ROOT\0`, class: classDiskDrive, problem: problemDisabled}), id)
	if s.system || s.device.Bus != policy.BusNVMe || s.device.Fault == "" || !s.settled {
		t.Errorf("%+v", s)
	}
}

func TestATreeThatTurnsInCirclesIsStillRead(t *testing.T) {
	a := node{id: `SCSI\Disk&A\1`, parent: `SCSI\Disk&B\1`, class: classDiskDrive}
	b := node{id: `SCSI\Disk&B\1`, parent: `SCSI\Disk&A\1`, class: classDiskDrive}
	newForest([]node{a, b, {id: `USB\VID_0781&PID_5583\X`, parent: `USB\VID_0781&PID_5583\X`}}).sightings()
}

func FuzzForest(f *testing.F) {
	f.Add(`USB\VID_0781&PID_5583\4C53`, `USBSTOR\Disk\4C53&0`, `USB\Class_08&SubClass_06&Prot_50`, classDiskDrive)
	f.Add(`SD\VID_03&OID_5344\1`, `SD\Disk\1`, `SD\CLASS_STORAGE`, classCDROM)
	f.Fuzz(func(t *testing.T, id, below, comp, class string) {
		forest := newForest([]node{
			{id: id, parent: below, compatible: []string{comp}, name: comp},
			{id: below, parent: id, class: class, hardware: []string{comp}},
		})
		for _, s := range forest.sightings() {
			if s.device.ID == "" || s.device.Bus == "" || len(s.device.Kinds) == 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}
