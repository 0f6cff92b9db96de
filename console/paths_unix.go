//go:build unix

package main

// defaultState is where the console lives.
const defaultState = "/var/lib/sekisho-console"

// rootsConfig is where a package keeps console.yaml. It is root's; the console's folder only points to it.
const rootsConfig = "/etc/sekisho/console.yaml"

// begin is what makes the console run with what was set up.
const begin = "sudo systemctl restart sekisho-console"
