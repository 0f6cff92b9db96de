//go:build unix

package main

import (
	"context"
	"errors"
)

// A unit needs a user, a sandbox and a place for the configuration: the package has them all, half of it would be a trap.
const useThePackage = "install the deb or the rpm, which bring user, unit and configuration; for bare programs the setup manual shows a unit"

func install(context.Context, call) error {
	return hint(errors.New("cannot install: on this system the package makes the console a service"), useThePackage)
}

func uninstall(context.Context, call) error {
	return hint(errors.New("cannot uninstall: on this system the package manager removes the console"), "apt remove sekisho-console, or dnf remove sekisho-console; the records stay")
}

// managed runs body: systemd needs no more than the signals that end it.
func managed(ctx context.Context, c call, body func(context.Context, call) error) error {
	return body(ctx, c)
}
