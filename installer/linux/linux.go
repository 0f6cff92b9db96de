// Package linux holds the files that make the agent a part of a Linux system: its unit, the one that installs
// its updates, those that renew the initramfs, and the hooks that carry the shut gate into it. It never writes them; the agent's install does.
// The gate's udev rules are not among them: they are on a machine only while its policy says enforce.
package linux

import _ "embed"

var (
	//go:embed sekisho-agent.service
	agentUnit []byte
	//go:embed sekisho-update.service
	updateUnit []byte
	//go:embed sekisho-initramfs.service
	initramfsUnit []byte
	//go:embed sekisho-dracut.service
	dracutUnit []byte
	//go:embed initramfs-hook
	initramfsHook []byte
	//go:embed dracut.conf
	dracutConf []byte
	//go:embed apt.conf
	aptConf []byte
	//go:embed dpkg.cfg
	dpkgConf []byte
)

// Names of the agent's unit, and of the one that installs its updates.
const (
	AgentUnit  = "sekisho-agent.service"
	UpdateUnit = "sekisho-update.service"
)

// File is one file to install.
type File struct {
	Path string // absolute
	Mode uint32
	Data []byte
	// Needs is a folder without which the file has no reader and is left out; "" always installs.
	Needs string
}

// Files lists what install writes and uninstall removes, in that order. After either, systemd reloads its units.
func Files() []File {
	return []File{
		{Path: "/etc/initramfs-tools/hooks/sekisho", Mode: 0o755, Data: initramfsHook, Needs: "/etc/initramfs-tools"},
		{Path: "/etc/systemd/system/sekisho-initramfs.service", Mode: 0o644, Data: initramfsUnit, Needs: "/etc/initramfs-tools"},
		{Path: "/etc/dracut.conf.d/90-sekisho.conf", Mode: 0o644, Data: dracutConf, Needs: "/etc/dracut.conf.d"},
		{Path: "/etc/systemd/system/sekisho-dracut.service", Mode: 0o644, Data: dracutUnit, Needs: "/etc/dracut.conf.d"},
		{Path: "/etc/systemd/system/" + UpdateUnit, Mode: 0o644, Data: updateUnit},
		{Path: "/etc/systemd/system/" + AgentUnit, Mode: 0o644, Data: agentUnit},
	}
}

// Hooks lists what lets package managers ask the agent first. A package's scripts write and remove them too: they are no
// configuration of anybody's, and must not outlive the program that they run.
func Hooks() []File {
	return []File{
		{Path: "/etc/apt/apt.conf.d/00sekisho", Mode: 0o644, Data: aptConf, Needs: "/etc/apt/apt.conf.d"},
		{Path: "/etc/dpkg/dpkg.cfg.d/sekisho", Mode: 0o644, Data: dpkgConf, Needs: "/etc/dpkg/dpkg.cfg.d"},
	}
}
