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
	RPM             Program = "rpm"
)

var programs = map[Program][]string{
	Busctl:          {"/usr/bin/busctl", "/bin/busctl"},
	Systemctl:       {"/usr/bin/systemctl", "/bin/systemctl"},
	Udevadm:         {"/usr/bin/udevadm", "/bin/udevadm"},
	UpdateInitramfs: {"/usr/sbin/update-initramfs"},
	Dracut:          {"/usr/bin/dracut", "/sbin/dracut"},
	AptHelper:       {"/usr/lib/apt/apt-helper"},
	RPM:             {"/usr/bin/rpm", "/bin/rpm"},
}

func setUser(cmd *exec.Cmd, o Options) {
	if o.UID != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: o.UID, Gid: o.GID}}
	}
}
