// Command sbom writes what a Go program is made of as CycloneDX JSON, from the program itself and, where pages are built
// into it, from the npm lock file. It never asks a network: what is not in the program is not in the list.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// bom follows CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/).
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func main() {
	name := flag.String("name", "", "`name` of the program")
	version := flag.String("version", "", "its `version`")
	epoch := flag.Int64("epoch", 0, "time of the list, in Unix `seconds`")
	lock := flag.String("npm", "", "package-lock.json `file` of the pages built into it")
	flag.Parse()
	if err := run(os.Stdout, flag.Arg(0), *name, *version, time.Unix(*epoch, 0), *lock); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, program, name, version string, at time.Time, lock string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("cannot read what %s is made of: %w", program, err)
	}
	b := describe(info, name, version, at)
	if lock != "" {
		text, err := os.ReadFile(lock)
		if err != nil {
			return fmt.Errorf("cannot read the pages' packages: %w", err)
		}
		pages, err := npm(text)
		if err != nil {
			return err
		}
		b.Components = append(b.Components, pages...)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(b)
}

func describe(info *debug.BuildInfo, name, version string, at time.Time) bom {
	main := component{Type: "application", Ref: name, Name: name, Version: version}
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" || s.Key == "GOOS" || s.Key == "GOARCH" || s.Key == "-tags" {
			main.Properties = append(main.Properties, property{"build:" + strings.TrimPrefix(s.Key, "-"), s.Value})
		}
	}
	b := bom{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: metadata{at.UTC().Format(time.RFC3339), main}}
	b.Components = append(b.Components, module("stdlib", info.GoVersion, ""))
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		b.Components = append(b.Components, module(d.Path, d.Version, d.Sum))
	}
	return b
}

// module is one Go module; its sum is of the module's files, not of an archive, so it is a property and no hash.
func module(path, version, sum string) component {
	purl := "pkg:golang/" + path + "@" + strings.TrimPrefix(version, "go")
	c := component{Type: "library", Ref: purl, Name: path, Version: version, PURL: purl}
	if sum != "" {
		c.Properties = []property{{"go:sum", sum}}
	}
	return c
}

// npm lists what a lock file names and is not for development only.
func npm(text []byte) ([]component, error) {
	var lock struct {
		Packages map[string]struct {
			Version string
			Dev     bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("cannot read the pages' packages: %w", err)
	}
	const folder = "node_modules/"
	var out []component
	for at, p := range lock.Packages {
		i := strings.LastIndex(at, folder)
		if i < 0 || p.Dev {
			continue
		}
		name := at[i+len(folder):]
		purl := "pkg:npm/" + strings.Replace(name, "@", "%40", 1) + "@" + p.Version
		out = append(out, component{Type: "library", Ref: purl, Name: name, Version: p.Version, PURL: purl})
	}
	slices.SortFunc(out, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	return out, nil
}
