package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/link"
)

// enrollCommand is the first contact by hand; a running agent finds the identity by itself.
func enrollCommand(ctx context.Context, s streams, args []string) error {
	f := flags("enroll")
	path := f.String("config", defaultConfig, "configuration `file`")
	server := f.String("server", "", "console's `address` for terminals, https://console:8444")
	token := f.String("token", "", "one-time enrolment `code`")
	fingerprint := f.String("fingerprint", "", "SHA-256 `fingerprint` of the console's CA")
	again := f.Bool("again", false, "make a new identity although there is one; needs a new code")
	if err := parse(s, f, args, "Makes this terminal known to the console. What is not given is taken from the configuration."); err != nil {
		return err
	}
	c, err := readConfig(*path)
	if err != nil {
		return err
	}
	given := c.with(*server, *token, *fingerprint)
	if *again {
		return enrolAgain(ctx, s, *path, c, given, *token)
	}
	if id, err := link.Load(c.State); err == nil {
		fmt.Fprintf(s.out, "already enrolled as terminal %s; `sekisho-agent enroll --again --token …` makes a new identity\n", id.Terminal)
		return nil
	}
	code, err := given.token()
	if err != nil {
		return err
	}
	id, err := enrol(ctx, given, code, false, time.Now, newLogger(s.err, false))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "enrolled as terminal %s\n", id.Terminal)
	return remember(*path, c, given)
}

// enrolAgain replaces the identity. The agent that runs has to begin anew with it.
func enrolAgain(ctx context.Context, s streams, path string, before, given config, code string) error {
	if code == "" {
		return errors.New("cannot enrol again: no new enrolment code is given (--token); the old one is spent")
	}
	id, err := enrol(ctx, given, code, true, time.Now, newLogger(s.err, false))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "enrolled again as terminal %s; unsent records go with it, the old terminal can be retired in the console\n", id.Terminal)
	if err := remember(path, before, given); err != nil {
		return err
	}
	if path != defaultConfig || !privileged() || !hasServiceManager() {
		fmt.Fprintln(s.out, "restart the agent so that it uses the new identity")
		return nil
	}
	return restartRunning(ctx)
}

// remember writes where the console is, for the agent that runs; the code is spent.
func remember(path string, before, given config) error {
	given.Token, given.TokenFile = "", ""
	if given.Server == before.Server && given.Fingerprint == before.Fingerprint {
		return nil
	}
	return given.write(path)
}

// with overrides the configuration by what was given on the command line.
func (c config) with(server, token, fingerprint string) config {
	if server != "" {
		c.Server = server
	}
	if token != "" {
		c.Token, c.TokenFile = token, ""
	}
	if fingerprint != "" {
		c.Fingerprint = fingerprint
	}
	return c
}

func enrol(ctx context.Context, c config, token string, again bool, now func() time.Time, log zerolog.Logger) (link.Identity, error) {
	switch {
	case c.Server == "":
		return link.Identity{}, errors.New("cannot enrol: no console is given (--server)")
	case c.Fingerprint == "":
		return link.Identity{}, errors.New("cannot enrol: the console's fingerprint is not given (--fingerprint); its enrolment page shows it")
	case token == "":
		return link.Identity{}, errors.New("cannot enrol: no enrolment code is given (--token)")
	}
	return link.Enroll(ctx, link.EnrollOptions{
		URL: c.Server, Token: token, Fingerprint: c.Fingerprint,
		Name: hostName(), Agent: version, Dir: c.State, Log: log, Now: now, Again: again,
	})
}
