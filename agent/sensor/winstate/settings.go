package winstate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sekisho/agent/sensor/smbios"
	"sekisho/internal/policy"
)

const (
	loginKey    = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon`
	explorerKey = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer`
	secureKey   = `HKLM\SYSTEM\CurrentControlSet\Control\SecureBoot\State`
	systemKey   = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
	diskKey     = `HKLM\SYSTEM\CurrentControlSet\Services\disk\Enum`
)

// Settings reads everything about settings but the clock, which only the agent itself can compare.
func (e *Eyes) Settings(ctx context.Context) []policy.Reading {
	out := e.firewall(ctx)
	out = append(out, e.encryption(ctx)...)
	out = append(out, e.bootPassword(), e.secureBoot(), e.autologin(), e.autorun(), e.remote(), e.hardware())
	out = append(out, e.screenLocks()...)
	return append(out, e.accounts()...)
}

// profiles are the firewall's: what people call Private is StandardProfile among the local settings, and PrivateProfile among
// a policy's; very old policies have StandardProfile there too (Microsoft KB2586744).
var profiles = []struct {
	name, local string
	rules       []string
}{
	{"Domain", "DomainProfile", []string{"DomainProfile"}},
	{"Private", "StandardProfile", []string{"PrivateProfile", "StandardProfile"}},
	{"Public", "PublicProfile", []string{"PublicProfile"}},
}

const (
	firewallRules = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\`
	firewallLocal = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\`
	firewallSvc   = "MpsSvc"
)

// firewall says for each profile whether it is on: a policy's value counts before the local one, and neither counts while the
// service does not run. Where another product filters instead, Security Center names it.
func (e *Eyes) firewall(ctx context.Context) []policy.Reading {
	var out []policy.Reading
	svc := e.Machine.Service(firewallSvc)
	for _, p := range profiles {
		o := e.of(policy.FactFirewall, "registry, "+firewallSvc)
		o.Product, o.Label = p.name, p.name
		on, source, err := e.profile(p.local, p.rules)
		switch {
		case svc.Code != "":
			out = append(out, o.Unread(svc.Code, svc.Fault))
		case err != nil:
			out = append(out, not(o, err))
		case on && svc.Text == "running":
			o.Source = source
			out = append(out, o.Bool(true))
		default:
			o.Source, o.Raw = source, fmt.Sprintf("EnableFirewall=%v, %s %s", on, firewallSvc, svc.Text)
			out = append(out, e.otherFirewall(ctx, o))
		}
	}
	return out
}

func (e *Eyes) profile(local string, rules []string) (on bool, source string, err error) {
	for _, key := range append(prefixed(firewallRules, rules), firewallLocal+local) {
		n, err := e.number(key, "EnableFirewall")
		switch {
		case errors.Is(err, errAbsent):
			continue
		case err != nil:
			return false, key, err
		case n > 1:
			return false, key, rawError{policy.Raw{Code: policy.CodeWrongType, Fault: fmt.Sprintf(`cannot tell yes from no: %s\EnableFirewall is %d`, key, n)}}
		}
		return n == 1, key, nil
	}
	return false, firewallLocal + local, errAbsent
}

func prefixed(prefix string, names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

func (e *Eyes) otherFirewall(ctx context.Context, o policy.Origin) policy.Reading {
	t := e.testimony(ctx, centerFirewall)
	for _, row := range t.Rows {
		if state, _, known := policy.DecodeProductState(row.State); known && state == policy.CenterOn && !row.Gone {
			o.Source, o.Raw = "Security Center", row.Name
			return o.Bool(true)
		}
	}
	return o.Bool(false)
}

// encryption asks BitLocker (https://learn.microsoft.com/windows/win32/secprov/win32-encryptablevolume): protection is 0 off or
// suspended, 1 on, 2 unknown because the volume is locked.
func (e *Eyes) encryption(ctx context.Context) []policy.Reading {
	o := e.of(policy.FactEncrypted, "WMI Win32_EncryptableVolume")
	r := e.ask(ctx, `root\cimv2\Security\MicrosoftVolumeEncryption`, "Win32_EncryptableVolume", "", "")
	if r.Code != "" {
		return []policy.Reading{o.Unread(r.Code, r.Fault)}
	}
	var out []policy.Reading
	for _, in := range r.Instances {
		letter, _ := in.text("DriveLetter")
		if kind, err := in.number("VolumeType"); letter == "" || err == nil && kind == removableVolume {
			continue
		}
		of := o
		of.Product, of.Label = policy.OneLine(letter), policy.OneLine(letter)
		n, err := in.number("ProtectionStatus")
		switch {
		case err != nil:
			out = append(out, of.Unread(policy.CodeWrongType, "cannot read ProtectionStatus: "+err.Error()))
		case n > 1:
			out = append(out, of.Unread(policy.CodeDenied, "cannot tell: the volume is locked"))
		default:
			out = append(out, of.Bool(n == 1))
		}
	}
	if len(out) == 0 {
		return []policy.Reading{o.Unread(policy.CodeMissing, "cannot tell: WMI names no volume of this machine")}
	}
	return out
}

const removableVolume = 2

func (e *Eyes) bootPassword() policy.Reading {
	o := e.of(policy.FactBootPassword, "SMBIOS type 24")
	table, err := e.Machine.SMBIOS()
	if err != nil {
		return unread(o, err)
	}
	set, known := smbios.PowerOnPassword(table)
	if !known {
		return o.Unread(policy.CodeNoSource, "cannot tell: the firmware does not say whether a boot password is set")
	}
	return o.Bool(set)
}

// secureBoot: the value is missing where Windows was started without UEFI, which is known for sure only when Windows says so.
func (e *Eyes) secureBoot() policy.Reading {
	o := e.of(policy.FactSecureBoot, secureKey)
	n, err := e.number(secureKey, "UEFISecureBootEnabled")
	if errors.Is(err, errAbsent) {
		uefi, ferr := e.Machine.Firmware()
		if ferr == nil && !uefi {
			o.Raw = "started without UEFI"
			return o.Bool(false)
		}
	}
	switch {
	case err != nil:
		return not(o, err)
	case n > 1:
		return o.Unread(policy.CodeWrongType, fmt.Sprintf("cannot tell yes from no: %d", n))
	}
	return o.Bool(n == 1)
}

// autologin names who is signed in without a password; the password that may lie beside it is never read.
func (e *Eyes) autologin() policy.Reading {
	o := e.of(policy.FactAutologin, loginKey)
	if _, err := e.Machine.Keys(loginKey, "64"); err != nil {
		return unread(o, fmt.Errorf("cannot read %s: %w", loginKey, err))
	}
	on, err := e.words(loginKey, "AutoAdminLogon")
	if errors.Is(err, errAbsent) || err == nil && (on == "0" || on == "") {
		return o.List(nil)
	}
	if err != nil {
		return not(o, err)
	}
	who, err := e.words(loginKey, "DefaultUserName")
	if err != nil {
		who = "?"
	}
	return o.List(policy.Lines([]string{who}))
}

// noDrives switches autorun off for every kind of drive (Microsoft, NoDriveTypeAutoRun). Without the value Windows offers it.
const noDrives = 0xff

func (e *Eyes) autorun() policy.Reading {
	o := e.of(policy.FactAutorun, explorerKey)
	n, err := e.number(explorerKey, "NoDriveTypeAutoRun")
	if errors.Is(err, errAbsent) {
		o.Raw = "default of Windows"
		return o.Bool(true)
	}
	if err != nil {
		return not(o, err)
	}
	o.Raw = fmt.Sprintf("0x%x", n)
	return o.Bool(n&noDrives != noDrives)
}

const (
	terminalRules = `HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services`
	terminalKey   = `HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server`
)

// remotePrograms are remote control by its program.
var remotePrograms = []string{"teamviewer.exe", "teamviewer_service.exe", "anydesk.exe", "rustdesk.exe", "winvnc.exe", "winvnc4.exe", "vncserver.exe",
	"tvnserver.exe", "uvnc_service.exe", "remoting_host.exe", "logmein.exe", "srservice.exe", "srserver.exe", "rserver3.exe", "quickassist.exe",
	"screenconnect.clientservice.exe", "dwagsvc.exe", "isllight.exe", "bomgar-scc.exe", "supremo.exe", "ultraviewer_desktop.exe", "msra.exe", "aa_v3.exe"}

// remote lists what lets somebody else act on this terminal: remote desktop where it is allowed, and programs that run.
func (e *Eyes) remote() policy.Reading {
	o := e.of(policy.FactRemote, "registry fDenyTSConnections, processes")
	var out []string
	deny, err := e.number(terminalRules, "fDenyTSConnections")
	if errors.Is(err, errAbsent) {
		deny, err = e.number(terminalKey, "fDenyTSConnections")
	}
	if err != nil {
		return not(o, fmt.Errorf("cannot tell whether remote desktop is on: %w", err))
	}
	if deny == 0 {
		out = append(out, "rdp")
	}
	running, err := e.Machine.Programs()
	if err != nil {
		return unread(o, err)
	}
	for _, p := range remotePrograms {
		if running[p] {
			out = append(out, p)
		}
	}
	return o.List(policy.Lines(out))
}

// hardware lists what is other than it was at first.
func (e *Eyes) hardware() policy.Reading {
	o := e.of(policy.FactHardware, "SMBIOS type 17, "+diskKey)
	now, err := e.parts()
	if err != nil {
		return not(o, err)
	}
	if e.Before == nil {
		return o.Unread(policy.CodeNoReference, "cannot compare hardware: nothing is noted of it")
	}
	before, err := e.Before(now)
	if err != nil {
		return unread(o, err)
	}
	return o.List(policy.Lines(policy.Changed(before, now)))
}

const maxDisks = 64

// parts names memory and disks; what is behind USB is no part of the machine.
func (e *Eyes) parts() ([]string, error) {
	table, err := e.Machine.SMBIOS()
	if err != nil {
		return nil, err
	}
	size := smbios.Memory(table)
	if size == 0 {
		return nil, fmt.Errorf("cannot tell how much memory there is: %w", errNoSource)
	}
	out := []string{fmt.Sprintf("memory %d MiB", size)}
	n, err := e.number(diskKey, "Count")
	if err != nil || n > maxDisks {
		return nil, fmt.Errorf("cannot list disks: %w", errors.Join(err, fs.ErrInvalid))
	}
	for i := range n {
		id, err := e.words(diskKey, fmt.Sprint(i))
		if err != nil {
			return nil, fmt.Errorf("cannot list disks: %w", err)
		}
		if !strings.HasPrefix(strings.ToUpper(id), "USBSTOR") {
			out = append(out, "disk "+policy.OneLine(id))
		}
	}
	slices.Sort(out)
	return out, nil
}
