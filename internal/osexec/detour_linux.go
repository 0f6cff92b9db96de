package osexec

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// detour lets a program be started by a tiny one that lies in a file system of its own, which nobody else sees. Go starts
// programs by vfork: one of its processors stands still until the kernel has opened the program's file. Where this very
// process stands at the kernel's gate before programs (agent/enforce/execgate) and has one processor, that would be
// forever: it must answer before it may go on. The gate does not know that file system, and what the tiny program then
// starts waits alone. end is to be called when the command is over.
func detour(cmd *exec.Cmd) (end func(), err error) {
	fd, err := placeStarter()
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the start of a program: %w", err)
	}
	cmd.Args = append([]string{"sekisho-start", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = fmt.Sprintf("/proc/self/fd/%d", fd)
	return func() { unix.Close(fd) }, nil
}

// placeStarter writes the tiny program and opens it anew: what somebody has open to write is not run (execve(2), ETXTBSY).
func placeStarter() (int, error) {
	write, err := hidden()
	if err != nil { // no right to mount, or a kernel before 5.2: who has no right stands at no gate either
		if write, err = unix.MemfdCreate("sekisho-start", unix.MFD_CLOEXEC); err != nil {
			return -1, os.NewSyscallError("memfd_create", err)
		}
	}
	defer unix.Close(write)
	if _, err := unix.Write(write, starter()); err != nil {
		return -1, os.NewSyscallError("write", err)
	}
	read, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", write), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return read, os.NewSyscallError("open", err)
}

// hidden makes a file in a file system that is mounted nowhere (fsopen(2), fsmount(2)).
func hidden() (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("fsopen", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, os.NewSyscallError("fsconfig", err)
	}
	at, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return -1, os.NewSyscallError("fsmount", err)
	}
	defer unix.Close(at)
	fd, err := unix.Openat(at, "start", unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o755)
	if err != nil {
		return -1, os.NewSyscallError("openat", err)
	}
	return fd, unix.Fchmod(fd, 0o755) // whatever the umask
}
