package main

const (
	defaultConfig = `C:\ProgramData\Sekisho\agent.yaml`
	defaultState  = `C:\ProgramData\Sekisho\state`
	installerLog  = `C:\ProgramData\Sekisho\installer.log` // Windows Installer swallows what its actions say
)
