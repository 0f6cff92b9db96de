package main

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// serviceName is what the service manager of Windows calls the console; the unit of a Linux package has the same name.
const serviceName = "sekisho-console"

// serviceSID is the name that Windows gives the account of a service: five numbers of the hash of its name in capitals
// ("sc showsid"; https://learn.microsoft.com/windows-server/administration/windows-commands/sc-showsid).
// The account needs not exist for a folder to name it.
func serviceSID(name string) string {
	var text []byte
	for _, u := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, u)
	}
	sum := sha1.Sum(text)
	sid := "S-1-5-80"
	for i := 0; i < len(sum); i += 4 {
		sid += fmt.Sprint("-", binary.LittleEndian.Uint32(sum[i:]))
	}
	return sid
}

// ownFolder is who may do what in the console's folder, as a security descriptor says it: all for the system and the
// administrators, reading and changing for the service, nothing for anybody else. P: nothing is inherited from ProgramData,
// where users may create files (https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format;
// 0x1301bf is "modify": https://learn.microsoft.com/windows/win32/fileio/file-access-rights-constants).
func ownFolder() string {
	return "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" + serviceSID(serviceName) + ")"
}
