package main

import "sekisho/internal/policy"

// installed is what dpkg says is on this terminal at this moment, for the gate before programs: with where each package came
// from, and without believing every package that calls itself essential.
func (a *agent) installed() ([]policy.Program, error) { return a.packages.Installed() }
