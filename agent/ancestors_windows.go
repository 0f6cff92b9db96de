package main

// ancestors: no package manager of Windows runs hooks.
func ancestors() []ancestor { return nil }
