package main

import "golang.org/x/sys/windows"

// privileged says whether this process may change the registry and devices: the service account, or an administrator
// who said yes to the question.
func privileged() bool { return windows.GetCurrentProcessToken().IsElevated() }
