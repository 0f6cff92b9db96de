package aptlist

import (
	"context"
	"io"
	"time"

	"sekisho/internal/osexec"
)

// unpackLimit is how long one list may take; the longest of Debian's is unpacked in under a second.
const unpackLimit = 20 * time.Second

// helped hands on what a packed list says: apt's own program reads every form that apt writes (apt-helper(8), cat-file).
func helped(ctx context.Context, file string, read func(io.Reader) error) error {
	out, in := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := osexec.Run(ctx, osexec.AptHelper, osexec.Options{Stdout: in, Timeout: unpackLimit}, "cat-file", file)
		in.CloseWithError(err)
	}()
	err := read(out)
	out.CloseWithError(io.ErrClosedPipe)
	<-ended
	return err
}
