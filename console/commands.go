package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"sekisho/console/store"
	"sekisho/internal/bundle"
	"sekisho/internal/seal"
)

// tokenFlags are those of the token command.
type tokenFlags struct {
	group, note string
	valid       time.Duration
	uses        int
}

// parse reads a command's flags and runs it.
func (c command) parse(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) error {
	set := flag.NewFlagSet("sekisho-console "+c.name, flag.ContinueOnError)
	set.SetOutput(errs)
	set.Usage = func() {
		fmt.Fprintf(set.Output(), "usage: sekisho-console %s [flags] %s\n\n%s.\n\n", c.name, c.args, c.about)
		set.PrintDefaults()
	}
	k := call{flags: set, in: in, out: out, err: errs, person: person(in, out), etc: rootsConfig}
	set.StringVar(&k.state, "state", defaultState, "folder with the database, keys and console.yaml")
	if c.name == "serve" {
		set.Bool("new-keys", false, "accept a CA or policy key that the database does not know; every terminal must enrol again")
	}
	if c.name == "setup" {
		addSetupFlags(set, os.Getenv)
	}
	if c.name == "token" {
		set.String("group", "default", "group that the terminal will belong to")
		set.Duration("valid", 24*time.Hour, "how long the code can be used, 720h at most")
		set.Int("uses", 1, "`number` of terminals that can enrol with it")
		set.String("note", "", "what it is for")
	}
	if c.name == "verify" {
		set.String("db", "", "verify this database `file`, for instance a backup, instead of the console's own")
	}
	if wantsHelp(args) {
		set.SetOutput(out)
	}
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	k.args = set.Args()
	if want := len(c.args) > 0; want != (len(k.args) == 1) || len(k.args) > 1 {
		set.Usage()
		return errUsage
	}
	return c.run(ctx, k)
}

func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "--help" || a == "-help" || a == "-h" {
			return true
		}
	}
	return false
}

func printVersion(_ context.Context, c call) error {
	_, err := fmt.Fprintln(c.out, "sekisho-console", version)
	return err
}

func token(ctx context.Context, c call) error {
	f, err := readTokenFlags(c.flags)
	if err != nil {
		return err
	}
	h, err := openAll(ctx, c)
	if err != nil {
		return err
	}
	defer h.Close()
	now := time.Now()
	code := rand.Text()
	err = h.db.PutToken(ctx, store.Token{Hash: sha256.Sum256([]byte(code)), Group: f.group, Note: f.note, By: "command line", Uses: f.uses, ExpiresAt: now.Add(f.valid)}, now)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("cannot make a code: there is no group %q", f.group)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s\n\nsekisho-agent install --server %s --token %s --fingerprint %s\n", code, h.agentURL(), code, h.ca.Fingerprint())
	fmt.Fprintf(c.out, "msiexec /i sekisho-agent_%s_windows_amd64.msi /qn SERVER=%s TOKEN=%s FINGERPRINT=%s\n", version, h.agentURL(), code, h.ca.Fingerprint())
	return nil
}

func readTokenFlags(set *flag.FlagSet) (f tokenFlags, err error) {
	f.group, f.note = set.Lookup("group").Value.String(), set.Lookup("note").Value.String()
	f.valid, err = time.ParseDuration(set.Lookup("valid").Value.String())
	if err != nil {
		return f, err
	}
	f.uses, err = strconv.Atoi(set.Lookup("uses").Value.String())
	switch {
	case err != nil:
	case f.valid <= 0 || f.valid > store.LongestCode:
		err = fmt.Errorf("cannot make a code that is valid for %s: at most %s", f.valid, store.LongestCode)
	case f.uses < 1 || f.uses > store.MostUses:
		err = fmt.Errorf("cannot make a code for %d terminals: 1 to %d", f.uses, store.MostUses)
	}
	return f, err
}

func backup(ctx context.Context, c call) error {
	path := c.args[0]
	if _, err := os.Lstat(path); err == nil {
		return hint(fmt.Errorf("cannot back up: %s exists", path), "name a file that does not exist yet")
	}
	h, err := openAll(ctx, c)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.db.Backup(ctx, path); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s\n  the keys are not in it: keep ca.key and policy.key of %s apart\n", path, c.state)
	return nil
}

// addUpdate does what the upload on the page does. Nothing is offered by it.
func addUpdate(ctx context.Context, c call) error {
	f, err := os.Open(c.args[0])
	if err != nil {
		return fmt.Errorf("cannot read update bundle: %w", err)
	}
	defer f.Close()
	h, err := openAll(ctx, c)
	if err != nil {
		return err
	}
	defer h.Close()
	m, e, err := h.depot.Take(f)
	if err != nil {
		return hint(err, updateHint(err))
	}
	now := time.Now()
	if err := h.db.PutUpdate(ctx, store.Update{Version: m.Version, Manifest: m, Envelope: e, By: "command line"}, now); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s\n  offer it at %s/updates\n", m.Version, h.peopleURL())
	return nil
}

func updateHint(err error) string {
	switch {
	case errors.Is(err, bundle.ErrNoKeys):
		return "use a console that was built with the release key"
	case errors.Is(err, seal.ErrUnknownKey), errors.Is(err, seal.ErrBadSignature):
		return "ask who gave it to you: it is signed by another key, or was altered"
	case errors.Is(err, bundle.ErrCut), errors.Is(err, bundle.ErrAltered):
		return "copy it again from where it comes from"
	case errors.Is(err, bundle.ErrFull):
		return "make room on the disk of the state folder"
	}
	return "choose the file whose name ends in .skb"
}
