package osexec

import (
	"os/exec"
	"syscall"
)

// The programs that may be run on Linux, with the places where distributions keep them.
const (
	Busctl          Program = "busctl"
	Systemctl       Program = "systemctl"
	Udevadm         Program = "udevadm"
	UpdateInitramfs Program = "update-initramfs"
	Dracut          Program = "dracut"
	AptHelper       Program = "apt-helper"
	DpkgDeb         Program = "dpkg-deb"
	RPM             Program = "rpm"

	// What tells of the terminal's health; all of it only looks.
	Nft           Program = "nft"
	IptablesSave  Program = "iptables-save"
	Ip6tablesSave Program = "ip6tables-save"
	Dnf           Program = "dnf"
	Mdatp         Program = "mdatp"
	DSQuery       Program = "dsa_query"
	ESETUpd       Program = "upd"
	ESETLic       Program = "lic"
	KESLControl   Program = "kesl-control"
	ISecAV        Program = "isecav"
	FalconCtl     Program = "falconctl"
	SentinelCtl   Program = "sentinelctl"
	SAVDStatus    Program = "savdstatus"
)

var programs = map[Program][]string{
	Busctl:          {"/usr/bin/busctl", "/bin/busctl"},
	Systemctl:       {"/usr/bin/systemctl", "/bin/systemctl"},
	Udevadm:         {"/usr/bin/udevadm", "/bin/udevadm"},
	UpdateInitramfs: {"/usr/sbin/update-initramfs"},
	Dracut:          {"/usr/bin/dracut", "/sbin/dracut"},
	AptHelper:       {"/usr/lib/apt/apt-helper"},
	DpkgDeb:         {"/usr/bin/dpkg-deb"},
	RPM:             {"/usr/bin/rpm", "/bin/rpm"},

	Nft:           {"/usr/sbin/nft", "/sbin/nft"},
	IptablesSave:  {"/usr/sbin/iptables-save", "/sbin/iptables-save"},
	Ip6tablesSave: {"/usr/sbin/ip6tables-save", "/sbin/ip6tables-save"},
	Dnf:           {"/usr/bin/dnf"},
	Mdatp:         {"/usr/bin/mdatp", "/opt/microsoft/mdatp/sbin/wdavdaemonclient"},
	DSQuery:       {"/opt/ds_agent/dsa_query"},
	ESETUpd:       {"/opt/eset/eea/bin/upd", "/opt/eset/efs/bin/upd"},
	ESETLic:       {"/opt/eset/eea/sbin/lic", "/opt/eset/efs/sbin/lic"},
	KESLControl:   {"/usr/bin/kesl-control", "/opt/kaspersky/kesl/bin/kesl-control"},
	ISecAV:        {"/opt/isec/ens/threatprevention/bin/isecav"},
	FalconCtl:     {"/opt/CrowdStrike/falconctl"},
	SentinelCtl:   {"/opt/sentinelone/bin/sentinelctl"},
	SAVDStatus:    {"/opt/sophos-av/bin/savdstatus"},
}

func setUser(cmd *exec.Cmd, o Options) {
	if o.UID != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: o.UID, Gid: o.GID}}
	}
}
