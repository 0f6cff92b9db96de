package main

import "os"

// privileged says whether this process may write sysfs.
func privileged() bool { return os.Geteuid() == 0 }
