package binary

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

func finalPath(f *os.File, path string) string {
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(windows.Handle(f.Fd()), &buf[0], uint32(len(buf)), 0)
	if err != nil || int(n) > len(buf) {
		return path
	}
	return plain(windows.UTF16ToString(buf[:n]))
}

// plain takes off what marks a path as one that is not looked through again.
func plain(path string) string {
	if rest, ok := strings.CutPrefix(path, `\\?\UNC\`); ok {
		return `\\` + rest
	}
	return strings.TrimPrefix(path, `\\?\`)
}

// selfSaid reads the version resource (https://learn.microsoft.com/windows/win32/menurc/versioninfo-resource).
func selfSaid(path string) (publisher, version string) {
	var zero windows.Handle
	n, err := windows.GetFileVersionInfoSize(path, &zero)
	if err != nil || n == 0 || n > 1<<20 {
		return "", ""
	}
	block := make([]byte, n)
	if windows.GetFileVersionInfo(path, 0, n, unsafe.Pointer(&block[0])) != nil {
		return "", ""
	}
	defer runtime.KeepAlive(block)
	return companyOf(block), versionOf(block)
}

func versionOf(block []byte) string {
	var fixed *windows.VS_FIXEDFILEINFO
	var n uint32
	if windows.VerQueryValue(unsafe.Pointer(&block[0]), `\`, unsafe.Pointer(&fixed), &n) != nil || n < uint32(unsafe.Sizeof(*fixed)) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d.%d", fixed.FileVersionMS>>16, fixed.FileVersionMS&0xffff, fixed.FileVersionLS>>16, fixed.FileVersionLS&0xffff)
}

// companyOf looks in the first language that the resource names.
func companyOf(block []byte) string {
	var languages *[2]uint16
	var n uint32
	if windows.VerQueryValue(unsafe.Pointer(&block[0]), `\VarFileInfo\Translation`, unsafe.Pointer(&languages), &n) != nil || n < 4 {
		return ""
	}
	var text *uint16
	at := fmt.Sprintf(`\StringFileInfo\%04x%04x\CompanyName`, languages[0], languages[1])
	if windows.VerQueryValue(unsafe.Pointer(&block[0]), at, unsafe.Pointer(&text), &n) != nil || n == 0 {
		return ""
	}
	return clean(windows.UTF16ToString(unsafe.Slice(text, n)))
}

// trusted asks Windows whether the signature is made over this file by somebody whom this machine trusts
// (https://learn.microsoft.com/windows/win32/api/wintrust/nf-wintrust-winverifytrust). It asks no network.
func trusted(path string, f *os.File) bool {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return false
	}
	file := windows.WinTrustFileInfo{Size: uint32(unsafe.Sizeof(windows.WinTrustFileInfo{})), FilePath: name, File: windows.Handle(f.Fd())}
	data := windows.WinTrustData{
		Size: uint32(unsafe.Sizeof(windows.WinTrustData{})), UIChoice: windows.WTD_UI_NONE, RevocationChecks: windows.WTD_REVOKE_NONE,
		UnionChoice: windows.WTD_CHOICE_FILE, StateAction: windows.WTD_STATEACTION_VERIFY, ProvFlags: windows.WTD_CACHE_ONLY_URL_RETRIEVAL,
		FileOrCatalogOrBlobOrSgnrOrCert: unsafe.Pointer(&file),
	}
	err = windows.WinVerifyTrustEx(windows.InvalidHWND, &windows.WINTRUST_ACTION_GENERIC_VERIFY_V2, &data)
	data.StateAction = windows.WTD_STATEACTION_CLOSE
	_ = windows.WinVerifyTrustEx(windows.InvalidHWND, &windows.WINTRUST_ACTION_GENERIC_VERIFY_V2, &data)
	return err == nil
}
