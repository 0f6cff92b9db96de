//go:build linux && !amd64

package execgate

const sysOpen = -1 // newer architectures have openat alone
