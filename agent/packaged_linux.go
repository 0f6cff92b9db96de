package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sekisho/installer/linux"
)

// packageUnit is where a deb or an rpm puts the unit. The one that install writes into /etc would win over it.
const packageUnit = "/usr/lib/systemd/system/" + linux.AgentUnit

const enabledLink = "/etc/systemd/system/multi-user.target.wants/" + linux.AgentUnit

// packaged says whether this machine has the agent from a deb or an rpm.
func packaged() bool { return !missing(packageUnit) }

// mayReplace refuses to write over a program that a package owns.
func mayReplace() error {
	if !packaged() || runsFrom(programPath) {
		return nil
	}
	return errors.New("cannot install: the agent on this machine is a package's; upgrade the package, or remove it first")
}

// mayRemove: without its package's scripts the agent is removed as far as it installs by hand; the package stays.
func mayRemove(bool) error { return nil }

// preparePackage is what dpkg and rpm cannot do for themselves.
func preparePackage(streams) error {
	return errors.Join(unshadow("/"), writeFiles("/", linux.Hooks()))
}

func runsFrom(path string) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(self)
	return err == nil && real == path
}

// unshadow removes what an install by hand has left in front of the package's files below root. What an administrator
// made there stays: a mask, a drop-in, a unit of their own.
func unshadow(root string) error {
	var all error
	for _, f := range linux.Files() {
		all = errors.Join(all, removeOurs(filepath.Join(root, f.Path), f.Data))
	}
	return errors.Join(all, relink(root))
}

func removeOurs(path string, like []byte) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxConfig {
		return err
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(have, firstRemark(like)) {
		return err
	}
	return os.Remove(path)
}

// firstRemark is the line by which a file of ours is known, whatever version wrote it.
func firstRemark(text []byte) []byte {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("# ")) {
			return line
		}
	}
	return text
}

// relink lets a unit that was enabled by hand stay enabled.
func relink(root string) error {
	link := filepath.Join(root, enabledLink)
	if target, err := os.Readlink(link); err != nil || target != unitPath {
		return nil
	}
	if err := os.Remove(link); err != nil {
		return fmt.Errorf("cannot enable the package's unit: %w", err)
	}
	return os.Symlink(packageUnit, link)
}

// startPackaged starts the package's own unit anew.
func startPackaged(ctx context.Context) error {
	if err := systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	if err := systemctl(ctx, "enable", linux.AgentUnit); err != nil {
		return err
	}
	return hint(systemctl(ctx, "restart", linux.AgentUnit), "`journalctl -u sekisho-agent` tells why")
}
