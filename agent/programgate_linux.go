package main

import (
	"sekisho/agent/enforce/execgate"
	"sekisho/internal/policy"
)

// newProgramGate makes the gate on fanotify.
func (a *agent) newProgramGate() programGate {
	return execgate.New(execgate.Options{
		Root: a.root, Packages: a.trustedPackages, Decide: a.guard.judgeProgram, Report: a.saw, Fault: a.programFault,
		Own: []string{programPath, programPath + ".before"}, Log: a.log,
	})
}

// trustedPackages are those that are installed, with where they came from, as the eyes found out or as this agent saw when they
// were vetted. Before the first look nobody knows: a rule that asks for it would stop everything.
func (a *agent) trustedPackages() ([]policy.Program, error) {
	if !a.packages.Seen() {
		return nil, execgate.ErrNotYet
	}
	all, err := a.packages.Installed()
	if err != nil {
		return nil, err
	}
	a.sources.complete(all)
	return all, nil
}
