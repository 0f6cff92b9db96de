package main

import (
	"sekisho/agent/enforce/execgate"
	"sekisho/internal/policy"
)

// newProgramGate makes the gate on fanotify.
func (a *agent) newProgramGate() programGate {
	return execgate.New(execgate.Options{
		Root: a.root, Packages: a.packages, Decide: a.guard.judgeProgram, Report: a.saw, Fault: a.programFault,
		Own: []string{programPath, programPath + ".before"}, Log: a.log,
	})
}

// packages are those that are installed, with where they came from as far as this agent saw it.
func (a *agent) packages() ([]policy.Program, error) {
	all, err := a.installed()
	a.sources.complete(all)
	return all, err
}
