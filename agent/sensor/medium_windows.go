package sensor

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Control codes (winioctl.h). All of them are answered without any access right to the medium, but for the length.
const (
	ioctlQueryProperty = 0x002d1400 // IOCTL_STORAGE_QUERY_PROPERTY
	ioctlDeviceNumber  = 0x002d1080 // IOCTL_STORAGE_GET_DEVICE_NUMBER
	ioctlGeometryEx    = 0x000700a0 // IOCTL_DISK_GET_DRIVE_GEOMETRY_EX
	ioctlExtents       = 0x00560000 // IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS
)

// noDrive is the number of a disk that is not known.
const noDrive = ^uint32(0)

// Device interfaces of disks and optical drives (GUID_DEVINTERFACE_DISK, GUID_DEVINTERFACE_CDROM, ntddstor.h).
func mediumInterface(class string) *windows.GUID {
	g := windows.GUID{Data1: 0x53f56307, Data2: 0xb6bf, Data3: 0x11d0, Data4: [8]byte{0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}}
	switch class {
	case classDiskDrive:
		return &g
	case classCDROM:
		g.Data1 = 0x53f56308
		return &g
	}
	return nil
}

// measure asks a disk or drive about itself, and whether Windows runs from it.
func measure(n *node, own uint32) {
	class := mediumInterface(n.class)
	if class == nil || !n.started {
		return
	}
	paths, err := windows.CM_Get_Device_Interface_List(n.id, class, windows.CM_GET_DEVICE_INTERFACE_LIST_PRESENT)
	if err != nil || len(paths) == 0 || paths[0] == "" {
		return
	}
	h, err := openForQuestions(paths[0])
	if err != nil {
		return
	}
	defer windows.CloseHandle(h)
	// STORAGE_PROPERTY_QUERY: StorageDeviceProperty 0, PropertyStandardQuery 0, one byte of nothing.
	if b, ok := ask(h, ioctlQueryProperty, make([]byte, 12), 4096); ok {
		if m, ok := parseMedium(b); ok {
			n.medium = &m
		}
	}
	// DISK_GEOMETRY_EX: 24 bytes of geometry, then the size. It needs no access right either.
	if b, ok := ask(h, ioctlGeometryEx, nil, 256); ok && len(b) >= 32 {
		n.capacity = max(0, int64(binary.LittleEndian.Uint64(b[24:])))
	}
	n.system = own != noDrive && driveNumber(h) == own
}

// openForQuestions opens with no access right: that is enough for questions, and works without a medium.
func openForQuestions(path string) (windows.Handle, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	share := uint32(windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE)
	return windows.CreateFile(p, 0, share, nil, windows.OPEN_EXISTING, 0, 0)
}

func ask(h windows.Handle, code uint32, in []byte, size int) ([]byte, bool) {
	out := make([]byte, size)
	var n uint32
	err := windows.DeviceIoControl(h, code, unsafe.SliceData(in), uint32(len(in)), &out[0], uint32(len(out)), &n, nil)
	if err != nil || int(n) > len(out) {
		return nil, false
	}
	return out[:n], true
}

// driveNumber reads a STORAGE_DEVICE_NUMBER: type, number, partition.
func driveNumber(h windows.Handle) uint32 {
	b, ok := ask(h, ioctlDeviceNumber, nil, 12)
	if !ok || len(b) < 8 {
		return noDrive
	}
	return binary.LittleEndian.Uint32(b[4:])
}

// systemDrive is the number of the disk that Windows itself runs from.
func systemDrive() uint32 {
	dir, err := windows.GetSystemWindowsDirectory()
	if err != nil || len(dir) < 2 {
		return noDrive
	}
	h, err := openForQuestions(`\\.\` + dir[:2])
	if err != nil {
		return noDrive
	}
	defer windows.CloseHandle(h)
	// VOLUME_DISK_EXTENTS: a count, padding, then extents that begin with the disk's number.
	if b, ok := ask(h, ioctlExtents, nil, 1024); ok && len(b) >= 12 && binary.LittleEndian.Uint32(b) > 0 {
		return binary.LittleEndian.Uint32(b[8:])
	}
	return noDrive
}
