//go:build unix

package main

import "os"

// makeState makes the folder for this user only.
func makeState(dir string) error { return os.MkdirAll(dir, 0o700) }
