package main

const (
	defaultConfig = "/etc/sekisho/agent.yaml"
	defaultState  = "/var/lib/sekisho"
	installerLog  = "" // dpkg and rpm show what a package's scripts say
)
