package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sekisho/agent/local"
)

// errRefused says that packages may not be installed; which and why was printed already.
var errRefused = errors.New("refused")

// packageGateCommand is what the hooks of apt and dpkg run. Only a refusal stops a package manager: when the question
// itself fails, packages are installed, and the inventory tells so later. A terminal that cannot be updated is worse.
func packageGateCommand(ctx context.Context, s streams, args []string) error {
	f := flags("package-gate")
	socket := f.String("socket", defaultSocket, "`path` of the agent's local socket")
	if len(args) == 0 {
		args = []string{"--help"}
	}
	by, rest := args[0], args[1:]
	if strings.HasPrefix(by, "-") {
		by, rest = "", args
	}
	if err := parse(s, f, rest, "Asks the agent whether packages may be installed; the hooks of apt and dpkg run it.\n"+
		"Before the flags: apt (reads apt's list), dpkg (reads the command line of the dpkg that runs it), after (they were installed)."); err != nil {
		return err
	}
	refused, err := packageQuestion{socket: *socket, by: by, in: os.Stdin, ancestors: ancestors()}.ask(ctx)
	if errors.Is(err, errUsage) {
		fmt.Fprintf(s.err, "sekisho-agent package-gate: %q is not apt, dpkg or after\n", by)
		return err
	}
	if err != nil {
		fmt.Fprintf(s.err, "Sekisho: %v\n  %s\n", err, passed[language(s.getenv)])
		return nil
	}
	for _, r := range refused {
		fmt.Fprintf(s.err, "Sekisho: %s\n", r.Words)
	}
	if len(refused) > 0 {
		return errRefused
	}
	return nil
}

var passed = map[string]string{
	"ja": "エージェントに確かめられないため、止めずに続けます。導入したものは後で記録されます。",
	"en": "The agent cannot be asked, so nothing is stopped. What is installed will be recorded later.",
}

// packageQuestion is one run of a hook.
type packageQuestion struct {
	socket, by string
	in         io.Reader
	ancestors  []ancestor
}

// ancestor is a process that we descend from, the nearest first.
type ancestor struct {
	pid     int
	program string // its base name
	args    []string
	dir     string
}

func (q packageQuestion) ask(ctx context.Context) (refused []local.Refusal, err error) {
	var files []string
	switch q.by {
	case "apt":
		if files, err = aptFiles(q.in); err != nil {
			return nil, err
		}
	case "dpkg":
		files = q.dpkgFiles()
	case "after":
		_, err := local.Ask(ctx, q.socket, local.Request{Ask: local.AskInstalled})
		return nil, err
	default:
		return nil, errUsage
	}
	manager := q.manager()
	for batch := range batches(files, local.MaxFiles) {
		a, err := local.Ask(ctx, q.socket, local.Request{Ask: local.AskPackages, Files: batch, Manager: manager})
		if err != nil {
			return nil, err
		}
		refused = append(refused, a.Refused...)
	}
	return refused, nil
}

// batches cuts a list into parts; of an empty one there is one, because configuring is vetted too.
func batches(all []string, most int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		if len(all) == 0 {
			yield(nil)
			return
		}
		for part := range slices.Chunk(all, most) {
			if !yield(part) {
				return
			}
		}
	}
}

// manager is the package manager: what runs the shell that runs us.
func (q packageQuestion) manager() int {
	for _, a := range q.ancestors {
		if _, shell := map[string]bool{"sh": true, "dash": true, "bash": true}[a.program]; !shell {
			return a.pid
		}
	}
	return 0
}

// dpkgFiles reads the files from the command line of the dpkg that runs us (dpkg(1)).
func (q packageQuestion) dpkgFiles() []string {
	for _, a := range q.ancestors {
		if a.program == "dpkg" {
			return dpkgArguments(a.args, a.dir)
		}
	}
	return nil
}

func dpkgArguments(args []string, dir string) (files []string) {
	installs, recursive, words := false, false, []string{}
	for i, arg := range args {
		switch {
		case i == 0 || arg == "-":
		case arg == "--install" || arg == "--unpack":
			installs = true
		case arg == "--recursive":
			recursive = true
		case strings.HasPrefix(arg, "--"):
		case strings.HasPrefix(arg, "-"):
			installs = installs || strings.ContainsRune(arg, 'i')
			recursive = recursive || strings.ContainsRune(arg, 'R')
		default:
			words = append(words, arg)
		}
	}
	if !installs {
		return nil
	}
	for _, w := range words {
		if !filepath.IsAbs(w) {
			w = filepath.Join(dir, w)
		}
		info, err := os.Stat(w)
		switch {
		case err != nil: // not a file, a number that belongs to an option: dpkg complains if it should
		case info.IsDir() && recursive:
			files = append(files, below(w)...)
		case info.Mode().IsRegular():
			files = append(files, w)
		}
	}
	return files
}

// below finds the packages in a folder and in those inside it; apt makes one of links.
func below(dir string) (files []string) {
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error { // what cannot be read dpkg cannot read either
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".deb") {
			if real, err := filepath.EvalSymlinks(name); err == nil {
				files = append(files, real)
			}
		}
		return nil
	})
	return files
}

// maxAptLine is the longest line of apt's list; a configuration value may be long.
const maxAptLine = 1 << 20

// aptFiles reads apt's list in its second or third form: a version, configuration lines, an empty line, and a line for
// each package that ends with the archive, or with what else is done (apt.conf(5), Pre-Install-Pkgs; its doc/examples).
func aptFiles(in io.Reader) (files []string, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxAptLine)
	if !lines.Scan() || lines.Text() != "VERSION 3" && lines.Text() != "VERSION 2" {
		return nil, errors.New("cannot understand apt's list of packages: it is not of version 2 or 3")
	}
	for lines.Scan() && lines.Text() != "" {
	}
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), " ", 9)
		last := f[len(f)-1]
		if len(f) < 5 || strings.HasPrefix(last, "**") {
			continue
		}
		if i := strings.IndexByte(last, '/'); i >= 0 { // of version 2 a name with blanks would not be the last word
			files = append(files, last[i:])
		}
	}
	return files, lines.Err()
}
