package main

import "os"

// letPrograms has nothing to undo: the gate ends with the agent.
func letPrograms() error { return nil }

// privateRoom makes a folder for root alone.
func privateRoom(dir string) error { return os.MkdirAll(dir, 0o700) }
