package execgate

import (
	"context"
	"io"
	"strings"
	"time"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

// listRpm has rpm itself list its files: it knows every form of its database and respects its locks. It stops when ctx ends.
func listRpm(ctx context.Context, root string) func(io.Writer) error {
	return func(w io.Writer) error {
		dir := rpmFolder(root)
		if dir == "" {
			return errNoDatabase
		}
		args := []string{"--dbpath", dir, "-qa", "--qf", rpmFiles}
		if root != "" && root != "/" {
			args = append([]string{"--root", root}, args...)
		}
		_, err := osexec.Run(ctx, osexec.RPM, osexec.Options{Stdout: w, Timeout: 2 * time.Minute}, args...)
		return err
	}
}

// decide asks the head. Where the gate only looks, nothing is stopped whatever the mode.
func (g *Gate) decide(p policy.Program) policy.Decision {
	d := g.Decide(p)
	if g.index().looks && d.Mode == policy.ModeEnforce {
		d.Mode = policy.ModeWarn
	}
	return d
}

// stallDenies is the policy's answer for a stall.
func (g *Gate) stallDenies() bool { return g.stall.Load() && !g.index().looks }

// isScriptlet says whether the file is a package's script that rpm is having run. Only a gate that stops nothing asks.
func (c *asked) isScriptlet() bool {
	return c.index().looks && c.private() && c.by.uid() == 0 && strings.HasPrefix(c.path, rpmScriptlet)
}
