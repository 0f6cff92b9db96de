package update

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"sekisho/internal/bundle"
	"sekisho/internal/durable"
	"sekisho/internal/wire"
)

// spare is what must stay free beside an update: the journal lives on the same disk.
const spare = 64 << 20

// fault is why staging did not work this time.
type fault struct {
	code string
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// stage brings a program into the folder, verified. What came is kept over interruptions, and goes on where it was cut.
func (u *Updater) stage(ctx context.Context, p bundle.Program) error {
	if have, err := hashOf(u.dir.path(stagedFile)); err == nil && have == p.SHA256 {
		return nil
	}
	if err := u.room(p); err != nil {
		return err
	}
	part := u.dir.path(p.SHA256 + partSuffix)
	if err := u.fetch(ctx, part, p); err != nil {
		return err
	}
	have, err := hashOf(part)
	if err != nil {
		return &fault{wire.ReasonDisk, err}
	}
	if have != p.SHA256 {
		os.Remove(part)
		return &fault{wire.ReasonAltered, errors.New("cannot use what the console sent: it is not the program that was signed")}
	}
	if err := os.Rename(part, u.dir.path(stagedFile)); err != nil {
		return &fault{wire.ReasonDisk, fmt.Errorf("cannot keep the program: %w", err)}
	}
	return nil
}

// room asks for three times the program: what comes, what is put beside the old one, and some air.
func (u *Updater) room(p bundle.Program) error {
	free, err := u.Free(string(u.dir))
	if err != nil {
		return nil // unknown is no reason; writing will tell
	}
	if need := uint64(3*p.Size + spare); free < need {
		return &fault{wire.ReasonDisk, fmt.Errorf("cannot fetch the program: %d MB are free, %d MB are needed", free>>20, need>>20)}
	}
	return nil
}

// fetch appends to what is there until the size is right.
func (u *Updater) fetch(ctx context.Context, part string, p bundle.Program) error {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return &fault{wire.ReasonDisk, fmt.Errorf("cannot write the program: %w", err)}
	}
	defer f.Close()
	from, err := f.Seek(0, io.SeekEnd)
	if err == nil && from < p.Size {
		err = u.append(ctx, f, p, from)
	}
	if err == nil {
		err = f.Sync()
	}
	if errors.Is(err, syscall.ENOSPC) {
		os.Remove(part) // others need the room more
	}
	return diskFault(err)
}

func (u *Updater) append(ctx context.Context, f *os.File, p bundle.Program, from int64) error {
	body, err := u.Fetch(ctx, p.SHA256, from)
	if err != nil {
		return &fault{wire.ReasonNetwork, fmt.Errorf("cannot fetch the program: %w", err)}
	}
	defer body.Close()
	in := &source{r: body}
	n, err := io.Copy(f, io.LimitReader(in, p.Size-from))
	switch {
	case in.err != nil:
		return &fault{wire.ReasonNetwork, fmt.Errorf("cannot fetch the program: cut off after %d of %d bytes: %w", from+n, p.Size, in.err)}
	case err != nil:
		return err
	case from+n < p.Size:
		return &fault{wire.ReasonNetwork, fmt.Errorf("cannot fetch the program: cut off after %d of %d bytes", from+n, p.Size)}
	}
	return nil
}

// source tells a fault of the network from one of the disk.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func diskFault(err error) error {
	var f *fault
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &fault{wire.ReasonDisk, fmt.Errorf("cannot write the program: %w", err)}
}

// copyFile puts a copy of from beside to, synced, ready to be kept in its place; the hash says what was copied.
func copyFile(from, to string) (*durable.File, string, error) {
	in, err := os.Open(from)
	if err != nil {
		return nil, "", err
	}
	defer in.Close()
	out, err := durable.Create(to)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), in); err != nil {
		out.Discard()
		return nil, "", err
	}
	return out, hex.EncodeToString(sum.Sum(nil)), out.Sync()
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
