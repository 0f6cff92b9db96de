package winstate

import "encoding/binary"

const rawHeader = 8 // RawSMBIOSData: calling method, two versions, DMI revision, length (Microsoft, GetSystemFirmwareTable)

// firmwareTable takes Windows' head off.
func firmwareTable(b []byte) []byte {
	if len(b) < rawHeader {
		return nil
	}
	n := binary.LittleEndian.Uint32(b[4:])
	return b[rawHeader:min(len(b), rawHeader+int(min(n, 1<<20)))]
}
