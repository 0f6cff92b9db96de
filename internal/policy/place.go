package policy

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// MaxPlaceText is how much of a file or of a command's words an expression is held against. RE2 needs time in proportion to
// text times steps of the expression (https://github.com/google/re2/wiki/WhyRE2), and both are bounded.
const (
	MaxPlaceText = 64 << 10
	maxSteps     = 1000
	headerSpaces = " \x00\r\n\t"
)

var errExpression = errors.New("cannot use expression: it is empty, too long or repeats too much")

// expression compiles what a probe says, unless it is more than a terminal shall spend time on.
func expression(s string) (*regexp.Regexp, error) {
	if s == "" || len(s) > maxExpression {
		return nil, errExpression
	}
	parsed, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(prog.Inst) > maxSteps {
		return nil, errExpression
	}
	return regexp.Compile(s)
}

// Cut takes the value out of what stood at the place: the text of a file, the words of a command, a header's bytes.
func (p Place) Cut(text []byte) Raw {
	switch p.Kind {
	case PlaceHeader:
		return p.cutHeader(text)
	case PlaceFile, PlaceCommand:
		return p.cutText(text)
	}
	return Raw{Text: string(text[:min(len(text), MaxValue+1)])}
}

func (p Place) cutText(text []byte) Raw {
	re, err := expression(p.Match)
	if err != nil {
		return Raw{Code: CodeFailed, Fault: err.Error()}
	}
	found := re.FindSubmatch(text[:min(len(text), MaxPlaceText)])
	if len(found) < 2 || found[1] == nil {
		if len(text) > MaxPlaceText {
			return Raw{Code: CodeTooLong, Fault: fmt.Sprintf("cannot find the value in the first %d bytes", MaxPlaceText)}
		}
		return Raw{Code: CodeMissing, Fault: "cannot find the value: the expression does not match"}
	}
	return Raw{Text: string(found[1])}
}

func (p Place) cutHeader(text []byte) Raw {
	if p.Size <= 0 || len(text) < p.Size {
		return Raw{Code: CodeWrongType, Fault: fmt.Sprintf("cannot read header: %d of %d bytes", len(text), p.Size)}
	}
	head := text[:p.Size]
	if !bytes.HasPrefix(head, []byte(p.Begin)) {
		return Raw{Code: CodeWrongType, Fault: "cannot read header: it does not begin as it should"}
	}
	parts := strings.Split(string(head), p.Separator)
	if p.Field >= len(parts) {
		return Raw{Code: CodeMissing, Fault: fmt.Sprintf("cannot read header: it has %d fields", len(parts))}
	}
	return Raw{Text: strings.Trim(parts[p.Field], headerSpaces)}
}
