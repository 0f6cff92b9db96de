package osexec

import "os/exec"

// detour: Windows asks nobody in this process before it starts a program.
func detour(*exec.Cmd) (close func(), err error) { return func() {}, nil }
