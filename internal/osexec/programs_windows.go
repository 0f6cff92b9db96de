package osexec

import "os/exec"

// No program is run on Windows yet.
var programs = map[Program][]string{}

func setUser(*exec.Cmd, Options) {}
