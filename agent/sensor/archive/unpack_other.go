//go:build !linux

package archive

import (
	"context"
	"errors"
	"io"
)

// unpacked: there is no apt here.
func unpacked(context.Context, string, func(io.Reader) error) error {
	return errors.New("it is packed in a way that only apt reads")
}
