// Package aptlist knows the lists of packages that apt keeps on a terminal: which repository each is from, and whether apt has
// checked that repository's signature. It never fetches one, and never judges a package.
package aptlist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Folder is where apt keeps them, below the root.
const Folder = "var/lib/apt/lists"

// maxConfig bounds one file of apt's sources, maxFiles a folder.
const (
	maxConfig = 4 << 20
	maxFiles  = 20000
)

// List is one of them.
type List struct {
	File   string // in Folder
	Origin string // "deb.debian.org/debian bookworm main", as it stands in the name: foreign words
	Signed bool   // the repository's signature was checked

	release string // how the name of its release file begins
}

// Release is the file in which a repository says whose it is and of when, with the lists that belong to it.
type Release struct {
	File  string // in Folder
	Lists []List
}

// Read gives the lists below a root. A terminal without apt has none.
func Read(root string) ([]List, error) {
	names, err := namesIn(filepath.Join(root, Folder))
	if err != nil {
		return nil, fmt.Errorf("cannot read the lists of repositories: %w", err)
	}
	careless, err := careless(root)
	if err != nil {
		return nil, fmt.Errorf("cannot read which repositories need no signature: %w", err)
	}
	return listsOf(names, careless), nil
}

// Releases gives the release files below a root. A terminal without apt has none.
func Releases(root string) ([]Release, error) {
	names, err := namesIn(filepath.Join(root, Folder))
	if err != nil {
		return nil, fmt.Errorf("cannot read the lists of repositories: %w", err)
	}
	lists, err := Read(root)
	return releasesIn(names, lists), err
}

// releasesIn gives each repository once: apt keeps InRelease, or Release with or without a signature beside it.
func releasesIn(names []string, lists []List) (out []Release) {
	seen := map[string]bool{"": true}
	for _, name := range names {
		base, end := releaseName(name)
		if seen[base] || end == detached {
			continue
		}
		seen[base] = true
		r := Release{File: name}
		for _, l := range lists {
			if l.release == base {
				r.Lists = append(r.Lists, l)
			}
		}
		out = append(out, r)
	}
	return out
}

// namesIn lists a folder, sorted; one that is not there is empty.
func namesIn(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(maxFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// careless are the sources that apt takes without a signature, as the names of their lists begin.
func careless(root string) (all []string, err error) {
	dir := filepath.Join(root, "etc/apt/sources.list.d")
	names, err := namesIn(dir)
	if err != nil {
		return nil, err
	}
	files := []string{filepath.Join(root, "etc/apt/sources.list")}
	for _, name := range names {
		if strings.HasSuffix(name, ".list") || strings.HasSuffix(name, ".sources") { // others apt passes over
			files = append(files, filepath.Join(dir, name))
		}
	}
	for _, file := range files {
		text, err := readConfig(file)
		if err != nil {
			return nil, err
		}
		all = append(all, carelessIn(text)...)
	}
	return all, nil
}

// readConfig reads a file of apt's sources; what is no file apt does not read either.
func readConfig(name string) (string, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if info.Size() > maxConfig {
		return "", fmt.Errorf("%s is too long", name)
	}
	raw, err := os.ReadFile(name)
	return string(raw), err
}

// listsOf tells from the names in apt's folder which repositories are known here. apt keeps a release file only when its
// signature was good (apt-secure(8)), but for sources that it is told to take without: careless.
func listsOf(names, careless []string) (out []List) {
	for _, name := range names {
		stem, ok := stemOf(name)
		if !ok {
			continue
		}
		release, signed := releaseOf(stem, names)
		if slices.ContainsFunc(careless, func(c string) bool { return strings.HasPrefix(stem+"_", c+"_") }) {
			signed = false
		}
		out = append(out, List{File: name, Origin: originOf(stem, release), Signed: signed, release: release})
	}
	return out
}

// endings are how apt keeps lists packed (apt.conf(5), Acquire::CompressionTypes).
var endings = []string{"", ".gz", ".lz4", ".xz", ".bz2", ".zst", ".lzma"}

// stemOf is the name of a list without what says how it is packed.
func stemOf(name string) (string, bool) {
	for _, packed := range endings {
		if stem, ok := strings.CutSuffix(name, "_Packages"+packed); ok {
			return stem, true
		}
	}
	return "", false
}

const detached = "_Release.gpg"

// releaseName takes a release file's name apart; another file's base is "".
func releaseName(name string) (base, end string) {
	for _, end := range []string{"_InRelease", detached, "_Release"} {
		if base, ok := strings.CutSuffix(name, end); ok {
			return base, end
		}
	}
	return "", ""
}

// releaseOf finds the release that a list belongs to.
func releaseOf(stem string, names []string) (release string, signed bool) {
	for _, name := range names {
		base, end := releaseName(name)
		if base == "" || !strings.HasPrefix(stem+"_", base+"_") || len(base) < len(release) {
			continue
		}
		signed = end != "_Release" || signed && base == release
		release = base
	}
	return release, signed
}

// originOf reads a list's address back from its name.
func originOf(stem, release string) string {
	site, suite, _ := strings.Cut(release, "_dists_")
	if release == "" {
		site = stem
	}
	words := []string{unfile(site)}
	if suite != "" {
		words = append(words, unfile(suite))
	}
	part := strings.TrimPrefix(strings.TrimPrefix(stem, release), "_")
	if i := strings.LastIndex(part, "_binary-"); i > 0 && release != "" {
		words = append(words, unfile(part[:i]))
	}
	return strings.Join(words, " ")
}
