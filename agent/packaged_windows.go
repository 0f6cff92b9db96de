package main

import "context"

// An MSI owns its files by itself; nothing that install writes stands in front of them.

func packaged() bool { return false }

func mayReplace() error { return nil }

func unshadow(string) error { return nil }

func startPackaged(context.Context) error { return nil }
