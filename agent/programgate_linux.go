package main

import "sekisho/agent/enforce/execgate"

// newProgramGate makes the gate on fanotify.
func (a *agent) newProgramGate() programGate {
	return execgate.New(execgate.Options{
		Root: a.root, Packages: a.installed, Decide: a.guard.judgeProgram, Report: a.saw, Fault: a.programFault,
		Own: []string{programPath, programPath + ".before"}, Log: a.log,
	})
}
