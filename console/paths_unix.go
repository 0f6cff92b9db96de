//go:build unix

package main

// defaultState is where the console lives.
const defaultState = "/var/lib/sekisho-console"

// begin is what makes the console run with what was set up.
const begin = "sudo systemctl restart sekisho-console"
