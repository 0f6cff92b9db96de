// Package vm gives tests a real terminal: a Debian virtual machine with a stock kernel into which devices are plugged
// while it runs. It never touches the machine it runs on beyond its own cache folder and its own processes.
package vm
