package web

import (
	"fmt"
	"regexp"
	"strings"

	"sekisho/internal/policy"
)

// cutSample takes the value out of what would have stood at the place.
func cutSample(p policy.Place, text []byte) policy.Raw {
	switch p.Kind {
	case policy.PlaceFile, policy.PlaceCommand:
		re, err := regexp.Compile(p.Match)
		if err != nil || len(p.Match) > 512 {
			return policy.Raw{Code: policy.CodeFailed, Fault: "cannot use the expression"}
		}
		if found := re.FindSubmatch(text); len(found) > 1 && found[1] != nil {
			return policy.Raw{Text: string(found[1])}
		}
		return policy.Raw{Code: policy.CodeMissing, Fault: "cannot find the value: the expression does not match"}
	case policy.PlaceHeader:
		parts := strings.Split(string(text[:min(len(text), max(p.Size, 0))]), p.Separator)
		if p.Separator == "" || p.Field < 0 || p.Field >= len(parts) {
			return policy.Raw{Code: policy.CodeMissing, Fault: fmt.Sprintf("cannot read header: it has %d fields", len(parts))}
		}
		return policy.Raw{Text: strings.Trim(parts[p.Field], " \x00\r\n\t")}
	}
	return policy.Raw{Text: string(text)}
}
