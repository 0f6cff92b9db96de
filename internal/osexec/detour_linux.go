package osexec

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// detour lets a program be started by a tiny one in a file of memory. Go starts programs by vfork: one of its processors
// stands still until the kernel has opened the program's file. Where this very process stands at the kernel's gate before
// programs (agent/enforce/execgate) and has one processor, that would be forever: it must answer before it may go on. Files
// of memory are not asked about, and what the tiny program then starts waits alone.
// close is to be called once the command was started.
func detour(cmd *exec.Cmd) (close func(), err error) {
	fd, err := unix.MemfdCreate("sekisho-start", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the start of a program: %w", err)
	}
	f := os.NewFile(uintptr(fd), "sekisho-start")
	if _, err := f.Write(starter()); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot prepare the start of a program: %w", err)
	}
	// Only a file that nobody has open to write may be run (execve(2), ETXTBSY).
	in, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the start of a program: %w", err)
	}
	cmd.Args = append([]string{"sekisho-start", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = fmt.Sprintf("/proc/self/fd/%d", in.Fd())
	return func() { in.Close() }, nil
}
