package main

import (
	"context"
	"errors"
)

// packageControl: there are no such packages on Windows.
func packageControl(context.Context, string) ([]byte, error) {
	return nil, errors.New("cannot read a Debian package on Windows")
}
