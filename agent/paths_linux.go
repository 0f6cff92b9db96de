package main

const (
	defaultConfig = "/etc/sekisho/agent.yaml"
	defaultState  = "/var/lib/sekisho"
	ownFolder     = "" // configuration stands in a folder that a console may share
	installerLog  = "" // dpkg and rpm show what a package's scripts say
)
