package aptlist

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What apt quotes in the name of a list besides what cannot be printed (apt apt-pkg/contrib/strutl.cc, URItoFileName).
const quoted = `\|{}[]<>"^~_=!@#$%&*`

// asFile is an address as lists are named after it: without scheme and account, with _ for /.
func asFile(uri string) string {
	if _, rest, ok := strings.Cut(uri, ":"); ok {
		uri = strings.TrimPrefix(rest, "//")
	}
	if i := strings.LastIndexByte(uri, '@'); i >= 0 && i < strings.IndexByte(uri+"/", '/') {
		uri = uri[i+1:]
	}
	var out strings.Builder
	for _, c := range []byte(strings.TrimRight(uri, "/")) {
		switch {
		case c == '/':
			out.WriteByte('_')
		case c <= ' ' || c >= 0x7f || strings.IndexByte(quoted, c) >= 0:
			fmt.Fprintf(&out, "%%%02x", c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// unfile undoes that, as far as a name tells.
func unfile(s string) string {
	s = strings.TrimSuffix(strings.ReplaceAll(s, "_", "/"), "/.")
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+3 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// carelessIn finds the sources in a file of apt's that need no signature (sources.list(5): Trusted, Allow-Insecure), in the
// form of lines and in that of paragraphs.
func carelessIn(text string) (out []string) {
	var p paragraph
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch word := strings.Fields(line); {
		case len(word) == 0:
			out = append(out, p.careless()...)
			p = paragraph{}
		case line[0] == '#':
		case word[0] == "deb" || word[0] == "deb-src":
			out = append(out, carelessLine(line)...)
		default:
			p.add(line)
		}
	}
	return append(out, p.careless()...)
}

// carelessLine reads "deb [arch=amd64 trusted=yes] http://a b main".
func carelessLine(line string) []string {
	options, rest, ok := strings.Cut(line, "]")
	_, options, ok2 := strings.Cut(options, "[")
	uris := strings.Fields(rest)
	if !ok || !ok2 || len(uris) == 0 || !slices.ContainsFunc(strings.Fields(options), func(o string) bool {
		name, value, _ := strings.Cut(o, "=")
		return needsNone(name, value)
	}) {
		return nil
	}
	return []string{asFile(uris[0])}
}

// needsNone says that an option lets a source go without a signature. apt has many words for yes: all but its words for no
// count (apt apt-pkg/contrib/strutl.cc, StringToBool).
func needsNone(name, value string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	no := []string{"no", "false", "without", "off", "disable", "0", ""}
	return (name == "trusted" || name == "allow-insecure") && !slices.Contains(no, strings.ToLower(strings.TrimSpace(value)))
}

// paragraph is a source in the form of "Key: value" lines (deb822(5)); a value goes on in lines that begin with a blank.
type paragraph struct {
	insecure bool
	key      string
	uris     []string
}

func (p *paragraph) add(line string) {
	value := line
	if line[0] != ' ' && line[0] != '\t' {
		p.key, value, _ = strings.Cut(line, ":")
		p.key = strings.ToLower(strings.TrimSpace(p.key))
	}
	if p.key == "uris" {
		p.uris = append(p.uris, strings.Fields(value)...)
	}
	p.insecure = p.insecure || needsNone(p.key, value)
}

func (p *paragraph) careless() (out []string) {
	if !p.insecure {
		return nil
	}
	for _, uri := range p.uris {
		out = append(out, asFile(uri))
	}
	return out
}
