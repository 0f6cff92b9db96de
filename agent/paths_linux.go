package main

const (
	defaultConfig = "/etc/sekisho/agent.yaml"
	defaultState  = "/var/lib/sekisho"
)
