package main

import (
	"context"
	"errors"
	"fmt"
)

// installCommand makes the agent a part of this system. Doing it again renews what is installed.
func installCommand(ctx context.Context, s streams, args []string) error {
	f := flags("install")
	path := f.String("config", defaultConfig, "configuration `file` to write")
	server := f.String("server", "", "console's `address` for terminals, https://console:8444")
	token := f.String("token", "", "one-time enrolment `code`")
	fingerprint := f.String("fingerprint", "", "SHA-256 `fingerprint` of the console's CA")
	byPackage := f.Bool("package", false, "only remove what an install by hand left in front of a package's files (its scripts use this)")
	if err := parse(s, f, args, "Installs and starts the service. Nothing is blocked until the console's policy says so."); err != nil {
		return err
	}
	if *byPackage {
		return unshadow("/")
	}
	if err := mayInstall(); err != nil {
		return err
	}
	c, err := readConfig(*path)
	if err != nil {
		return err
	}
	c = c.with(*server, *token, *fingerprint)
	if err := c.check(*path); err != nil {
		return err
	}
	if err := c.write(*path); err != nil {
		return err
	}
	if err := installService(ctx); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "installed and started; `sekisho-agent status` shows what it sees")
	return nil
}

// installService leaves to a package what is the package's.
func installService(ctx context.Context) error {
	if packaged() {
		if err := unshadow("/"); err != nil {
			return err
		}
		return startPackaged(ctx)
	}
	if err := installFiles(); err != nil {
		return err
	}
	return startService(ctx)
}

func mayInstall() error {
	if !privileged() {
		return errors.New("cannot install: only root can")
	}
	if !hasServiceManager() {
		return errors.New("cannot install: this system has no service manager that we know; `sekisho-agent run` works without one")
	}
	return mayReplace()
}
