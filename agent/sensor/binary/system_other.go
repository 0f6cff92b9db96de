//go:build !windows

package binary

import "os"

// finalPath is what the caller said: only tests look at Windows programs here.
func finalPath(_ *os.File, path string) string { return path }

// selfSaid needs Windows' own reader.
func selfSaid(string) (publisher, version string) { return "", "" }

// trusted is for Windows to say.
func trusted(string, *os.File) bool { return false }
