package main

const (
	defaultConfig = `C:\ProgramData\Sekisho\agent.yaml`
	defaultState  = `C:\ProgramData\Sekisho\state`
)
