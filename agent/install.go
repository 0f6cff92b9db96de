package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sekisho/agent/link"
)

// installCommand makes the agent a part of this system. Doing it again renews what is installed.
func installCommand(ctx context.Context, s streams, args []string) error {
	f := flags("install")
	path := f.String("config", defaultConfig, "configuration `file` to write")
	server := f.String("server", "", "console's `address` for terminals, https://console:8444")
	token := f.String("token", "", "one-time enrolment `code`")
	fingerprint := f.String("fingerprint", "", "SHA-256 `fingerprint` of the console's CA")
	byPackage := f.Bool("package", false, "do only what a package leaves to the program (its scripts use this)")
	if err := parse(s, f, args, "Installs and starts the service. Nothing is blocked until the console's policy says so."); err != nil {
		return err
	}
	if *byPackage {
		s, end := noted(s, "install", true)
		return end(prepare(ctx, s, *path, config{Server: *server, Token: *token, Fingerprint: *fingerprint}))
	}
	if err := mayInstall(); err != nil {
		return err
	}
	before, err := readConfig(*path)
	if err != nil {
		return err
	}
	c := before.with(*server, *token, *fingerprint)
	if err := c.check(*path); err != nil {
		return err
	}
	if c, err = settle(ctx, s, c); err != nil {
		return err
	}
	if err := c.write(*path); err != nil {
		return err
	}
	if err := installService(ctx); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "installed and started; `sekisho-agent status` shows what it sees")
	arrival{socket: defaultSocket, limit: arrivalLimit, every: arrivalLook}.tell(ctx, s.out)
	return nil
}

// prepare does what a package leaves to the program. Without values the configuration stays as it is, also a broken one;
// what needs the network never keeps a package from its end.
func prepare(ctx context.Context, s streams, path string, given config) error {
	if err := preparePackage(s); err != nil || given == (config{}) {
		return err
	}
	before, err := readConfig(path)
	if err != nil {
		return err
	}
	c := before.with(given.Server, given.Token, given.Fingerprint)
	if err := c.check(path); err != nil {
		return err
	}
	settled, err := settle(ctx, s, c)
	if err != nil {
		fmt.Fprintf(s.err, "this terminal stays with the console it has: %v\n", err)
		return nil
	}
	if err := settled.write(path); err != nil {
		return err
	}
	return restartRunning(ctx)
}

// settle looks what a code means on a terminal that is enrolled already: at another console it is enrolled again, at the
// same one the code is left for another terminal.
func settle(ctx context.Context, s streams, c config) (config, error) {
	id, err := link.Load(c.State)
	if err != nil {
		return c, nil // the service enrols it
	}
	same := true
	if c.Fingerprint != "" {
		if same, err = id.SignedBy(c.Fingerprint); err != nil {
			return c, err
		}
	}
	code, err := c.token()
	if err != nil {
		return c, err
	}
	c.Token, c.TokenFile = "", ""
	switch {
	case same && code == "":
		return c, nil
	case same:
		fmt.Fprintf(s.out, "already enrolled as terminal %s at this console, the code is not needed; `sekisho-agent enroll --again --token …` makes a new identity\n", id.Terminal)
		return c, nil
	case code == "":
		return c, fmt.Errorf("cannot install: this terminal is enrolled as %s at a console with another fingerprint; give a code of the new one (--token)", id.Terminal)
	}
	fmt.Fprintf(s.out, "this terminal is enrolled as %s at another console; enrolling it at %s\n", id.Terminal, c.Server)
	if id, err = enrol(ctx, c, code, true, time.Now, newLogger(s.err, false)); err != nil {
		return c, err
	}
	fmt.Fprintf(s.out, "enrolled again as terminal %s\n", id.Terminal)
	return c, nil
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
		return errors.New("cannot install: only " + superuser + " can")
	}
	if !hasServiceManager() {
		return errors.New("cannot install: this system has no service manager that we know; `sekisho-agent run` works without one")
	}
	return mayReplace()
}
