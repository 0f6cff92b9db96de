package winstate

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// userInfo3 is USER_INFO_3 (https://learn.microsoft.com/windows/win32/api/lmaccess/ns-lmaccess-user_info_3).
type userInfo3 struct {
	name, password                          *uint16
	passwordAge, priv                       uint32
	home, comment                           *uint16
	flags                                   uint32
	script                                  *uint16
	authFlags                               uint32
	full, userComment, parms, workstations  *uint16
	lastLogon, lastLogoff, expires, storage uint32
	unitsPerWeek                            uint32
	logonHours                              *byte
	badPasswords, logons                    uint32
	server                                  *uint16
	country, codePage, id, primaryGroup     uint32
	profile, homeDrive                      *uint16
	passwordExpired                         uint32
}

const (
	flagDisabled   = 0x2  // UF_ACCOUNTDISABLE
	flagNoPassword = 0x20 // UF_PASSWD_NOTREQD
	normalAccounts = 0x2  // FILTER_NORMAL_ACCOUNT
	allOfIt        = 0xffffffff
	maxAccounts    = 2000
)

// Users gives the accounts of this machine.
func (l *local) Users() ([]Account, error) {
	if err := l.net.NewProc("NetUserEnum").Find(); err != nil {
		return nil, fmt.Errorf("cannot list accounts: %w", errNoSource)
	}
	var buf *byte
	var read, total uint32
	if err := windows.NetUserEnum(nil, 3, normalAccounts, &buf, allOfIt, &read, &total, nil); err != nil {
		return nil, fmt.Errorf("cannot list accounts: %w", err)
	}
	defer func() { _ = windows.NetApiBufferFree(buf) }()
	if buf == nil || read == 0 || total > maxAccounts || read > maxAccounts {
		return nil, fmt.Errorf("cannot use the list of accounts: it has %d of %d lines", read, total)
	}
	var out []Account
	for _, u := range unsafe.Slice((*userInfo3)(unsafe.Pointer(buf)), read) {
		a := Account{Name: windows.UTF16PtrToString(u.name), RID: u.id, Disabled: u.flags&flagDisabled != 0, NoPassword: u.flags&flagNoPassword != 0}
		if u.lastLogon > 0 {
			a.Login = time.Unix(int64(u.lastLogon), 0).UTC()
		}
		if u.passwordAge > 0 {
			a.Changed = time.Now().Add(-time.Duration(u.passwordAge) * time.Second).UTC().Truncate(time.Hour)
		}
		out = append(out, a)
	}
	return out, nil
}

// memberInfo2 is LOCALGROUP_MEMBERS_INFO_2.
type memberInfo2 struct {
	sid   *windows.SID
	usage uint32
	name  *uint16
}

// Admins gives the members of the group that is S-1-5-32-544, whatever it is called.
func (l *local) Admins() ([]Member, error) {
	sid, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return nil, fmt.Errorf("cannot name the administrators: %w", err)
	}
	group, _, _, err := sid.LookupAccount("")
	if err != nil {
		return nil, fmt.Errorf("cannot name the administrators: %w", err)
	}
	wide, err := windows.UTF16PtrFromString(group)
	if err != nil {
		return nil, err
	}
	var buf *byte
	var read, total uint32
	code, err := call(l.net, "NetLocalGroupGetMembers", 0, uintptr(unsafe.Pointer(wide)), 2, uintptr(unsafe.Pointer(&buf)), allOfIt,
		uintptr(unsafe.Pointer(&read)), uintptr(unsafe.Pointer(&total)), 0)
	if code != 0 || err != nil && buf == nil {
		return nil, fmt.Errorf("cannot list the administrators: %w", orCode(err, code))
	}
	defer func() { _ = windows.NetApiBufferFree(buf) }()
	if buf == nil || read == 0 || read > maxAccounts || total > maxAccounts {
		return nil, fmt.Errorf("cannot use the list of administrators: it has %d of %d lines", read, total)
	}
	var out []Member
	for _, m := range unsafe.Slice((*memberInfo2)(unsafe.Pointer(buf)), read) {
		out = append(out, Member{Name: windows.UTF16PtrToString(m.name), SID: m.sid.String()})
	}
	return out, nil
}

func orCode(err error, code uintptr) error {
	if code != 0 {
		return windows.Errno(code)
	}
	return err
}

// modalsInfo0 is USER_MODALS_INFO_0; ages are seconds.
type modalsInfo0 struct{ minLength, maxAge, minAge, forceLogoff, history uint32 }

// MinLength is the shortest password that Windows takes here.
func (l *local) MinLength() (int64, error) {
	var buf *byte
	code, err := call(l.net, "NetUserModalsGet", 0, 0, uintptr(unsafe.Pointer(&buf)))
	if code != 0 || buf == nil {
		return 0, fmt.Errorf("cannot read the rules for passwords: %w", orCode(err, code))
	}
	defer func() { _ = windows.NetApiBufferFree(buf) }()
	return int64((*modalsInfo0)(unsafe.Pointer(buf)).minLength), nil
}

// NameOf is a person's name; the SID itself where nobody knows it.
func (*local) NameOf(sid string) string {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return sid
	}
	user, domain, _, err := s.LookupAccount("")
	if err != nil || user == "" {
		return sid
	}
	return domain + `\` + user
}
