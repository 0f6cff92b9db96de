package health

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

// fetcher reads the places of probes during one look; a command is asked once.
type fetcher struct {
	eyes    *Eyes
	ctx     context.Context
	answers map[string]answer
	running map[string]bool
	failed  error
}

type answer struct {
	text []byte
	err  error
}

// found is what one source gave.
type found struct {
	policy.Raw
	source string
}

const maxMatches = 20 // files that fit one pattern

func one(source string, raw policy.Raw) []found { return []found{{raw, source}} }

func failure(err error) policy.Raw { return policy.Raw{Code: why(err), Fault: err.Error()} }

func (f *fetcher) fetch(p policy.Place) []found {
	if out, ok := f.fromWindows(p); ok {
		return out
	}
	switch p.Kind {
	case policy.PlaceFile, policy.PlaceHeader, policy.PlaceSystem, policy.PlaceExists, policy.PlaceTime:
		return f.files(p)
	case policy.PlaceCommand:
		return one(p.Command, f.command(p))
	case policy.PlaceProcess:
		return one("process "+p.Value, f.process(p.Value))
	case policy.PlaceService:
		return one("service "+p.Value, f.eyes.unit(p.Value))
	case policy.PlaceRegistry, policy.PlaceWMI:
		return one(p.Path, policy.Raw{Code: policy.CodeNoSource, Fault: "cannot read it: this is not Windows"})
	}
	return one(string(p.Kind), policy.Raw{Code: policy.CodeNoSource, Fault: fmt.Sprintf("cannot read %q: this agent does not know the kind", p.Kind)})
}

// fromWindows reads what only a Windows has, or has in its own way: registry, WMI, services, processes.
func (f *fetcher) fromWindows(p policy.Place) (out []found, ok bool) {
	if f.eyes.Windows == nil {
		return nil, false
	}
	list, ok := f.eyes.Windows.Fetch(f.ctx, p)
	for _, l := range list {
		out = append(out, found{l.Raw, l.Source})
	}
	return out, ok
}

func (f *fetcher) files(p policy.Place) []found {
	paths := []string{p.Path}
	if strings.Contains(p.Path, "*") {
		find := finder{tree: f.eyes.tree}
		if paths = find.glob(p.Path); find.err != nil {
			return one(p.Path, failure(find.err))
		}
		if len(paths) > maxMatches {
			return one(p.Path, policy.Raw{Code: policy.CodeTooLong, Fault: fmt.Sprintf("cannot read %d files", len(paths))})
		}
	}
	var out []found
	for _, at := range paths {
		out = append(out, found{f.file(p, at), at})
	}
	if len(out) == 0 {
		return one(p.Path, policy.Raw{Code: policy.CodeMissing, Fault: "cannot find a file that fits"})
	}
	return out
}

func (f *fetcher) file(p policy.Place, at string) policy.Raw {
	info, err := os.Stat(f.eyes.tree.path(at))
	switch {
	case p.Kind == policy.PlaceExists && err == nil:
		return policy.Raw{Text: "true"}
	case p.Kind == policy.PlaceExists && errors.Is(err, os.ErrNotExist):
		return policy.Raw{Text: "false"}
	case err != nil:
		return failure(err)
	case p.Kind == policy.PlaceTime:
		return policy.Raw{Text: strconv.FormatInt(info.ModTime().Unix(), 10)}
	}
	most := policy.MaxPlaceText + 1
	if p.Kind == policy.PlaceHeader {
		most = p.Size
	}
	text, err := f.eyes.tree.read(at, most)
	if err != nil {
		return failure(err)
	}
	return p.Cut(text)
}

func (f *fetcher) command(p policy.Place) policy.Raw {
	a, ok := f.answers[p.Command]
	if !ok {
		ctx, cancel := context.WithTimeout(f.ctx, commandTime)
		defer cancel()
		a.text, a.err = f.eyes.Run(ctx, p.Command)
		f.answers[p.Command] = a
	}
	switch {
	case errors.Is(a.err, osexec.ErrMissing):
		return policy.Raw{Code: policy.CodeMissing, Fault: a.err.Error()}
	case errors.Is(a.err, context.DeadlineExceeded), errors.Is(a.err, context.Canceled):
		return policy.Raw{Code: policy.CodeTimeout, Fault: a.err.Error()}
	case a.err != nil:
		return failure(a.err)
	}
	return p.Cut(a.text)
}

func (f *fetcher) process(name string) policy.Raw {
	if f.running == nil && f.failed == nil {
		f.running, f.failed = f.eyes.tree.programs()
	}
	if f.failed != nil {
		return failure(f.failed)
	}
	return policy.Raw{Text: strconv.FormatBool(f.running[name])}
}

// runFixed runs one of the fixed commands.
func runFixed(ctx context.Context, command string) ([]byte, error) {
	c, ok := fixed[command]
	if !ok {
		return nil, fmt.Errorf("cannot run %q: %w", command, osexec.ErrMissing)
	}
	return osexec.Run(ctx, c.program, osexec.Options{Timeout: commandTime}, c.args...)
}

// fixedCommand is what stands behind the name of a command.
type fixedCommand struct {
	program osexec.Program
	args    []string
}

// base gives the last name of a path, without what the kernel adds to a program that was replaced.
func base(p string) string { return path.Base(strings.TrimSuffix(p, " (deleted)")) }
