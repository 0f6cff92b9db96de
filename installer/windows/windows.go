// Package windows holds the sources of the agent's MSI, which scripts/package builds, and the tests of what it builds.
// It never runs on a terminal.
package windows
