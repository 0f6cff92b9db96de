package applocker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sekisho/internal/policy"
	"sekisho/internal/version"
)

// condition is one way to recognise files.
type condition struct {
	publisher *publisherXML
	path      *pathXML
	file      *hashXML
	hash      string // of all bytes, when it is a hash
	wide      bool   // it recognises more than the rule it is taken from
}

// maxExceptions bounds one rule.
const maxExceptions = 100

// kinds says which programs a collection is about.
func (c Collection) kind() policy.ProgramKind {
	switch c {
	case Script:
		return policy.ProgramScript
	case Msi:
		return policy.ProgramMSI
	case Appx:
		return policy.ProgramMSIX
	}
	return policy.ProgramFile
}

// file says whether the programs are files that no installer answers for.
func (c Collection) file() bool { return c == Exe || c == Script }

// translate gives conditions any of which means a match. Neither conditions nor a reason: nothing here can match.
func (b *book) translate(m policy.ProgramMatch) ([]condition, string) {
	c := b.collection
	if b.neverMatches(m) {
		return nil, ""
	}
	switch {
	case !c.file() && len(m.Source)+len(m.Origin) > 0:
		return nil, "AppLocker does not know where a package comes from"
	case c == Appx:
		return packaged(m)
	case len(m.Publisher) > 0:
		return nil, "AppLocker knows signatures, not whom a program names as its maker"
	}
	return b.single(m)
}

// neverMatches is about what the programs of this collection do not have.
func (b *book) neverMatches(m policy.ProgramMatch) bool {
	c := b.collection
	if len(m.Group) > 0 && !slices.Contains(m.Group, b.p.Group) || len(m.Kind) > 0 && !slices.Contains(m.Kind, c.kind()) {
		return true
	}
	return c.file() && (len(m.Source) > 0 && !slices.Contains(m.Source, policy.SourceNone) || len(m.Origin) > 0)
}

// single translates one field; AppLocker's conditions cannot be joined.
func (b *book) single(m policy.ProgramMatch) ([]condition, string) {
	fields := 0
	for _, list := range [][]string{m.Name, m.Signer, m.Path, m.Hash} {
		fields += min(len(list), 1)
	}
	bounded := m.MinVersion+m.MaxVersion != ""
	switch {
	case fields > 1:
		return nil, "AppLocker cannot join these conditions"
	case len(m.Signer) > 0:
		return signed(m)
	case bounded:
		return nil, "AppLocker knows versions of signed programs only"
	case len(m.Hash) > 0:
		return b.hashes(m.Hash)
	case !b.collection.file():
		return nil, "AppLocker sees the installer's file here, not the product"
	case len(m.Name) > 0:
		return names(m.Name)
	case len(m.Path) > 0:
		return paths(m.Path)
	}
	return nil, "AppLocker cannot tell files by their kind alone"
}

func signed(m policy.ProgramMatch) ([]condition, string) {
	low, high, why := versions(m.MinVersion, m.MaxVersion)
	if why != "" {
		return nil, why
	}
	var out []condition
	for _, s := range m.Signer {
		if !IsPublisher(s) {
			return nil, "AppLocker wants the whole name of the signer, like O=EXAMPLE, L=TOKYO, S=TOKYO, C=JP"
		}
		out = append(out, publisher(strings.ToUpper(s), "*", low, high))
	}
	return out, ""
}

// IsPublisher says whether a signer is written as AppLocker writes it, whole.
func IsPublisher(s string) bool {
	return !strings.Contains(s, "*") && (strings.HasPrefix(strings.ToUpper(s), "O=") || strings.HasPrefix(strings.ToUpper(s), "CN="))
}

func packaged(m policy.ProgramMatch) ([]condition, string) {
	low, high, why := versions(m.MinVersion, m.MaxVersion)
	switch {
	case why != "":
		return nil, why
	case len(m.Path)+len(m.Hash)+len(m.Signer) > 0 || len(m.Name) == 0 && len(m.Publisher) == 0:
		return nil, "AppLocker knows packaged apps by name and publisher only"
	}
	var out []condition
	for _, name := range orAny(m.Name) {
		for _, maker := range orAny(m.Publisher) {
			if strings.Contains(name, "*") && name != "*" || strings.Contains(maker, "*") && maker != "*" {
				return nil, "AppLocker wants the whole name of a packaged app"
			}
			out = append(out, publisher(maker, name, low, high))
		}
	}
	return out, ""
}

func orAny(list []string) []string {
	if len(list) == 0 {
		return []string{"*"}
	}
	return list
}

func publisher(name, product, low, high string) condition {
	p := &publisherXML{Publisher: name, Product: product, Binary: "*"}
	p.Versions.Low, p.Versions.High = low, high
	return condition{publisher: p}
}

// versions gives both ends as four numbers, or * for none.
func versions(low, high string) (string, string, string) {
	out := [2]string{"*", "*"}
	for i, v := range []string{low, high} {
		if v == "" {
			continue
		}
		four, ok := fourNumbers(v)
		if !ok || i == 1 && version.Compare(four, v) != 0 { // 5.2 is older than 5.2.0.0
			return "", "", fmt.Sprintf("AppLocker knows versions of four numbers up to 65535 only, not %q", v)
		}
		out[i] = four
	}
	return out[0], out[1], ""
}

func fourNumbers(v string) (string, bool) {
	parts := strings.Split(v, ".")
	for len(parts) < 4 {
		parts = append(parts, "0")
	}
	if len(parts) > 4 {
		return "", false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return "", false
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(parts, "."), true
}

func (b *book) hashes(list []string) ([]condition, string) {
	if b.collection != Exe {
		return nil, "the SHA-256 of all bytes is not the one that AppLocker takes of such files"
	}
	var out []condition
	for _, h := range list {
		seen, ok := FileHash{}, false
		if b.o.Seen != nil {
			seen, ok = b.o.Seen(h)
		}
		if !ok {
			return nil, "AppLocker takes another hash of programs, which is known once a file with SHA-256 " + h[:min(len(h), 12)] + "… was seen here"
		}
		f := &hashXML{}
		f.File.Kind, f.File.Data = "SHA256", "0x"+strings.ToUpper(seen.Authenticode)
		f.File.Name, f.File.Size = seen.Name, seen.Size
		out = append(out, condition{file: f, hash: h})
	}
	return out, ""
}

// names makes paths of base names. A * can stand for folders in a path, so only one at the beginning says the same.
func names(list []string) ([]condition, string) {
	var out []condition
	for _, name := range list {
		if !plainPath(name) || strings.Contains(name, `\`) {
			return nil, fmt.Sprintf("%q cannot be a part of a path", name)
		}
		rest := strings.TrimLeft(name, "*")
		path := `*\` + name
		if rest != name {
			path = "*" + rest
		}
		out = append(out, condition{path: &pathXML{Path: path}, wide: strings.Contains(rest, "*")})
	}
	return out, ""
}

// paths are those of Windows; those of other systems match nothing here.
func paths(list []string) ([]condition, string) {
	var out []condition
	for _, p := range list {
		switch drive := strings.ToUpper(p[:min(len(p), 3)]); {
		case strings.HasPrefix(p, "/"):
		case !plainPath(p):
			return nil, fmt.Sprintf("%q is no path that AppLocker can read", p)
		case drive == `C:\`, strings.HasPrefix(p, "*"), strings.HasPrefix(p, `\\`):
			out = append(out, condition{path: &pathXML{Path: p}})
		default:
			return nil, fmt.Sprintf("AppLocker names drives other than C: by their kind, not like %q", p)
		}
	}
	return out, ""
}

func plainPath(p string) bool { return !strings.ContainsAny(p, `%?"<>|/`) }

func pathConditions(list ...string) []condition {
	var out []condition
	for _, p := range list {
		out = append(out, condition{path: &pathXML{Path: p}})
	}
	return out
}
