package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// offers looks in the lists of signed repositories (apt's /var/lib/apt/lists) for archives with these hashes. That a file
// lies in apt's cache proves nothing: root may have put it there, the hash in a signed list it may not. unread says that
// not all lists could be read.
func offers(ctx context.Context, root string, wanted map[string][]int) (found map[string]policy.Program, unread error) {
	found = map[string]policy.Program{}
	dir := filepath.Join(root, "/var/lib/apt/lists")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("cannot read the lists of repositories: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	careless := carelessSources(root)
	for _, name := range names {
		stem, packed, ok := listName(name)
		if !ok || !signed(stem, names) || slices.ContainsFunc(careless, func(c string) bool { return strings.HasPrefix(stem+"_", c+"_") }) {
			continue
		}
		if err := search(ctx, filepath.Join(dir, name), packed, originOf(stem), wanted, found); err != nil {
			unread = fmt.Errorf("cannot read the lists of repositories: %s: %w", name, err)
		}
		if len(found) == len(wanted) {
			return found, nil
		}
	}
	return found, unread
}

// listName is a list's name without its ending, and how it is packed.
func listName(name string) (stem, packed string, ok bool) {
	for _, packed := range []string{"", ".gz", ".lz4", ".xz", ".zst", ".bz2", ".lzma"} {
		if stem, ok := strings.CutSuffix(name, "_Packages"+packed); ok {
			return stem, packed, true
		}
	}
	return "", "", false
}

// signed says whether the release that a list belongs to came with a signature. apt keeps a release only when its signature
// was good (apt-secure(8)), but for sources that are told to go without: see carelessSources.
func signed(stem string, names []string) bool {
	for _, name := range names {
		for _, ending := range []string{"InRelease", "Release.gpg"} {
			if base, ok := strings.CutSuffix(name, "_"+ending); ok && strings.HasPrefix(stem+"_", base+"_") {
				return true
			}
		}
	}
	return false
}

// originOf is a repository's address for people.
func originOf(stem string) string {
	s, _ := clean(strings.ReplaceAll(strings.TrimSuffix(stem, "_."), "_", "/"))
	return s
}

// carelessSources are the repositories that apt believes without a signature because somebody told it to (sources.list(5):
// trusted=yes, allow-insecure=yes), as the names of their lists begin.
func carelessSources(root string) (all []string) {
	files := []string{filepath.Join(root, "/etc/apt/sources.list")}
	for _, pattern := range []string{"*.list", "*.sources"} {
		more, _ := filepath.Glob(filepath.Join(root, "/etc/apt/sources.list.d", pattern)) // the pattern is good
		files = append(files, more...)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			all = append(all, carelessIn(string(text))...)
		}
	}
	return all
}

func carelessIn(text string) (all []string) {
	for _, block := range strings.Split(text, "\n\n") {
		v := paragraph(block)
		if v["Trusted"] == "yes" || v["Allow-Insecure"] == "yes" {
			for _, uri := range strings.Fields(v["URIs"]) {
				all = append(all, listPrefix(uri))
			}
		}
		for line := range strings.Lines(block) {
			options, rest, ok := strings.Cut(line, "]")
			if f := strings.Fields(rest); ok && len(f) > 0 && (strings.Contains(options, "trusted=yes") || strings.Contains(options, "allow-insecure=yes")) {
				all = append(all, listPrefix(f[0]))
			}
		}
	}
	return all
}

// listPrefix is how apt names the lists of an address (apt-pkg/contrib/strutl.cc, URItoFileName): without scheme and
// account, with _ for /.
func listPrefix(uri string) string {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok {
		rest = scheme
	}
	rest = strings.TrimPrefix(rest, "//")
	if at := strings.IndexByte(rest, '@'); at >= 0 && at < strings.IndexByte(rest+"/", '/') {
		rest = rest[at+1:]
	}
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimRight(rest, "/"), "_", "%5f"), "/", "_")
}

// search reads one list, of which there may be a hundred megabytes, without keeping it.
func search(ctx context.Context, file, packed, origin string, wanted map[string][]int, found map[string]policy.Program) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	each := func(stanza []byte) {
		hash := hashIn(stanza)
		if _, ok := wanted[hash]; !ok {
			return
		}
		p := program(paragraph(string(stanza)))
		p.Source, p.Origin = policy.SourceRepository, origin
		found[hash] = p
	}
	in := io.Reader(reader{ctx, f})
	switch packed {
	case "":
	case ".gz":
		if in, err = gzip.NewReader(in); err != nil {
			return err
		}
	default:
		return unpacked(ctx, file, func(in io.Reader) error { return stanzas(in, each) })
	}
	return stanzas(in, each)
}

var hashKey = []byte("\nSHA256: ")

func hashIn(stanza []byte) string {
	i := bytes.Index(stanza, hashKey)
	if i < 0 || len(stanza) < i+len(hashKey)+64 {
		return ""
	}
	return string(stanza[i+len(hashKey) : i+len(hashKey)+64])
}

// maxStanza is the longest paragraph that is taken; Debian's longest are some ten kilobytes.
const maxStanza = 1 << 20

func stanzas(in io.Reader, each func([]byte)) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 256<<10), maxStanza)
	s.Split(func(data []byte, end bool) (int, []byte, error) {
		if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
			return i + 2, data[:i+1], nil
		}
		if end && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	for s.Scan() {
		each(s.Bytes())
	}
	return s.Err()
}
