package main

const (
	defaultConfig = `C:\ProgramData\Sekisho\agent.yaml`
	defaultState  = `C:\ProgramData\Sekisho\state`
	ownFolder     = `C:\ProgramData\Sekisho`               // all that is in it is ours
	installerLog  = `C:\ProgramData\Sekisho\installer.log` // Windows Installer swallows what its actions say
)
