package hivefile

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// snapshot copies a file into memory and has it open no longer than that. The kernel opens a hive for itself alone when the
// person signs in, and fails where anybody can still read it: so the one who reads gives way, see oplock.
func snapshot(folder, file string, most int64) ([]byte, error) {
	asBackup()
	f, err := openFile(folder, file)
	if err != nil {
		return nil, explained(err)
	}
	defer f.close()
	size, err := f.size()
	if err != nil {
		return nil, explained(err)
	}
	if size > most {
		return nil, tooLong(most)
	}
	raw, err := f.all(size)
	return raw, explained(err)
}

func explained(err error) error {
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND), errors.Is(err, windows.ERROR_PATH_NOT_FOUND):
		return &trouble{Missing, "there is no such file"}
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION), errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		return errBusy
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return &trouble{Denied, "the service account may not read it"}
	}
	return err
}

// openFile opens with all sharing. What the person put in the file's place, a link or a pipe, is not used, and a pipe would not
// learn who asks.
func openFile(folder, file string) (*loan, error) {
	path := filepath.Join(folder, file)
	h, err := create(path, windows.GENERIC_READ, windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_SEQUENTIAL_SCAN|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	f := &loan{file: h, lock: giveWay(h)}
	if err := f.belongs(folder, file); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func create(path string, access, flags uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(name, access, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, flags|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
}

// loan is a file that is read for a moment.
type loan struct {
	file windows.Handle
	lock *oplock
}

func (f *loan) close() {
	_ = windows.CloseHandle(f.file)
	f.lock.end()
}

// belongs says whether the file is a plain one that lies where it was looked for.
func (f *loan) belongs(folder, file string) error {
	kind, err := windows.GetFileType(f.file)
	if err != nil || kind != windows.FILE_TYPE_DISK {
		return errElsewhere
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(f.file, &info); err != nil {
		return err
	}
	if info.FileAttributes&(windows.FILE_ATTRIBUTE_DIRECTORY|windows.FILE_ATTRIBUTE_REPARSE_POINT) != 0 {
		return errElsewhere
	}
	above, err := create(folder, windows.FILE_READ_ATTRIBUTES, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(above)
	root, err := finalPath(above)
	if err != nil {
		return err
	}
	if path, err := finalPath(f.file); err != nil || !strings.EqualFold(path, strings.TrimSuffix(root, `\`)+`\`+file) {
		return errElsewhere
	}
	return nil
}

func finalPath(h windows.Handle) (string, error) {
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(h, &buf[0], uint32(len(buf)), 0)
	if err != nil || n >= uint32(len(buf)) {
		return "", errElsewhere
	}
	return windows.UTF16ToString(buf[:n]), nil
}

func (f *loan) size() (int64, error) {
	var info windows.ByHandleFileInformation
	err := windows.GetFileInformationByHandle(f.file, &info)
	return int64(info.FileSizeHigh)<<32 | int64(info.FileSizeLow), err
}

const chunk = 1 << 20

// all reads, and stops as soon as somebody else wants the file.
func (f *loan) all(size int64) ([]byte, error) {
	done, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(done)
	raw := make([]byte, size)
	for at := int64(0); at < size; {
		if f.lock.broken() {
			return nil, errBusy
		}
		n, err := f.part(raw[at:min(at+chunk, size)], at, done)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, damaged("it became shorter meanwhile")
		}
		at += int64(n)
	}
	return raw, nil
}

func (f *loan) part(into []byte, at int64, done windows.Handle) (n uint32, err error) {
	o := &windows.Overlapped{Offset: uint32(at), OffsetHigh: uint32(at >> 32), HEvent: done}
	if err = windows.ReadFile(f.file, into, &n, o); errors.Is(err, windows.ERROR_IO_PENDING) {
		err = windows.GetOverlappedResult(f.file, o, &n, true)
	}
	if errors.Is(err, windows.ERROR_HANDLE_EOF) {
		return 0, nil
	}
	return n, err
}

// asBackup lets this process, the child, read also what the person has taken the right to away: a hive with no rights for the
// system is still the person's, and still loaded. Where the account may not do that, it goes without.
func asBackup() {
	var token windows.Token
	if windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ADJUST_PRIVILEGES, &token) != nil {
		return
	}
	defer token.Close()
	name, err := windows.UTF16PtrFromString("SeBackupPrivilege")
	if err != nil {
		return
	}
	p := windows.Tokenprivileges{PrivilegeCount: 1}
	p.Privileges[0].Attributes = windows.SE_PRIVILEGE_ENABLED
	if windows.LookupPrivilegeValue(nil, name, &p.Privileges[0].Luid) == nil {
		_ = windows.AdjustTokenPrivileges(token, false, &p, 0, nil, nil)
	}
}
