//go:build linux && !amd64 && !arm64

package osexec

const starterMachine = 0 // a processor that we do not build for: no program is started there

var starterCode []byte
