package software

import (
	"io"
	"slices"
	"strings"

	"sekisho/internal/policy"
	"sekisho/internal/version"
)

// list is one of apt's package lists on the terminal: what a repository offers.
type list struct {
	file   string
	origin string // "deb.debian.org/debian bookworm main"
	signed bool   // apt has checked the signature of the release that names it
}

// listsOf tells from the names in apt's lists folder which repositories are known here. apt keeps a release file only when
// its signature was good, but for sources that trust without one (trusted names these, as in a file's name).
func listsOf(names []string, trusted []string) []list {
	var out []list
	for _, name := range names {
		stem, ok := stemOf(name)
		if !ok {
			continue
		}
		release, signed := releaseOf(stem, names)
		if slices.ContainsFunc(trusted, func(t string) bool { return strings.HasPrefix(stem, t+"_") }) {
			signed = false
		}
		out = append(out, list{file: name, origin: originOf(stem, release), signed: signed})
	}
	return out
}

// stemOf is the name of a list without what says how it is packed.
func stemOf(name string) (string, bool) {
	for _, packed := range []string{"", ".gz", ".lz4", ".xz", ".bz2", ".zst", ".lzma"} {
		if stem, ok := strings.CutSuffix(name, "_Packages"+packed); ok {
			return stem, true
		}
	}
	return "", false
}

// releaseOf finds the release that a list belongs to.
func releaseOf(stem string, names []string) (release string, signed bool) {
	for _, name := range names {
		base, is := name, false
		for _, end := range []string{"_InRelease", "_Release.gpg", "_Release"} {
			if b, ok := strings.CutSuffix(name, end); ok {
				base, is = b, end != "_Release"
				break
			}
		}
		if base == name || !strings.HasPrefix(stem+"_", base+"_") || len(base) < len(release) {
			continue
		}
		signed = is || signed && base == release
		release = base
	}
	return release, signed
}

// originOf reads a list's address back from its name (apt apt-pkg/contrib/strutl.cc, URItoFileName).
func originOf(stem, release string) string {
	words := []string{}
	site, suite, _ := strings.Cut(release, "_dists_")
	if release == "" {
		site = stem
	}
	words = append(words, unfile(site))
	if suite != "" {
		words = append(words, unfile(suite))
	}
	part := strings.TrimPrefix(strings.TrimPrefix(stem, release), "_")
	if i := strings.LastIndex(part, "_binary-"); i > 0 && release != "" {
		words = append(words, unfile(part[:i]))
	}
	s, _ := clean(strings.Join(words, " "), maxWord)
	return s
}

// unfile undoes the letters that stand for others in a file's name.
func unfile(s string) string {
	s = strings.TrimSuffix(strings.ReplaceAll(s, "_", "/"), "/.")
	return strings.NewReplacer("%5f", "_", "%5F", "_", "%7e", "~", "%7E", "~", "%2b", "+", "%40", "@", "%3d", "=", "%5b", "[", "%5d", "]").Replace(s)
}

// asFile is an address as lists are named after it: without scheme and password, / as _.
func asFile(uri string) string {
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		uri = rest
	} else if _, rest, ok := strings.Cut(uri, ":"); ok {
		uri = strings.TrimPrefix(rest, "//")
	}
	if i := strings.LastIndexByte(uri, '@'); i >= 0 && i < strings.IndexByte(uri+"/", '/') {
		uri = uri[i+1:]
	}
	uri = strings.NewReplacer("%", "%25", "_", "%5f", "~", "%7e", "=", "%3d", "@", "%40").Replace(strings.TrimRight(uri, "/"))
	return strings.ReplaceAll(uri, "/", "_")
}

// trustedIn finds the sources in apt's configuration that need no signature (sources.list(5): trusted, allow-insecure).
func trustedIn(text string) []string {
	var out []string
	for _, block := range strings.Split(text, "\n\n") {
		whole := field(block, "Trusted") == "yes" || field(block, "Allow-Insecure") == "yes"
		for line := range strings.Lines(block) {
			line = strings.TrimSpace(line)
			uris, isField := strings.CutPrefix(line, "URIs:")
			options := strings.Contains(line, "trusted=yes") || strings.Contains(line, "allow-insecure=yes")
			switch {
			case strings.HasPrefix(line, "#"):
			case isField && whole:
				for _, uri := range strings.Fields(uris) {
					out = append(out, asFile(uri))
				}
			case strings.HasPrefix(line, "deb") && options:
				if _, rest, ok := strings.Cut(line, "]"); ok && len(strings.Fields(rest)) > 0 {
					out = append(out, asFile(strings.Fields(rest)[0]))
				}
			}
		}
	}
	return out
}

// field is the value of a one-line field in a block of lines.
func field(block, key string) string {
	for line := range strings.Lines(block) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), key) {
			return strings.ToLower(strings.TrimSpace(value))
		}
	}
	return ""
}

// asked are the packages whose repository is looked for.
type asked struct {
	of     map[string][]*policy.Program // by name
	newest map[*policy.Program]string   // the highest version that a list has of it
	lists  int                          // that could be read
	unread int                          // that could not
}

func ask(programs []*policy.Program) *asked {
	a := &asked{of: map[string][]*policy.Program{}, newest: map[*policy.Program]string{}}
	for _, p := range programs {
		a.of[p.Name] = append(a.of[p.Name], p)
	}
	return a
}

// read looks for them in one list.
func (a *asked) read(l list, r io.Reader) error {
	_, err := stanzas(r, []string{"Package", "Version", "Architecture"}, func(v [][]byte) bool {
		for _, p := range a.of[string(v[0])] {
			if string(v[2]) == p.Arch {
				a.found(p, l, string(v[1]))
			}
		}
		return true
	})
	if err == nil {
		a.lists++
	}
	return err
}

func (a *asked) found(p *policy.Program, l list, v string) {
	if v == p.Version && (l.signed || p.Source == "") {
		p.Source, p.Origin, p.Fault = policy.SourceRepository, l.origin, ""
		if !l.signed {
			p.Source, p.Fault = policy.SourceUnknown, "its repository is not signed"
		}
	}
	if old := a.newest[p]; old == "" || version.Compare(v, old) > 0 {
		a.newest[p] = v
	}
}

// settle says what is known of those that no list has in their version. An older version was in the list once, most likely:
// that is no proof. A newer one, or a name that no list has, was brought by somebody.
func (a *asked) settle() {
	for _, programs := range a.of {
		for _, p := range programs {
			newest := a.newest[p]
			switch {
			case p.Source != "":
			case a.lists == 0 || a.unread > 0:
				p.Source = policy.SourceUnknown
			case newest != "" && version.Compare(p.Version, newest) < 0:
				p.Source, p.Fault = policy.SourceUnknown, "the lists of its repository have a newer version only"
			default:
				p.Source = policy.SourceLocal
			}
		}
	}
}
