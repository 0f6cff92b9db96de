package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
)

// importProblem is why a file was not taken.
type importProblem struct {
	field, word string
	args        []any
	raw         string // for who has to search for it
}

// referenceHead is how a file says what it is. What stands beside it is for terminals.
type referenceHead struct {
	Kind   string    `json:"kind"`
	Name   string    `json:"name"`
	Month  string    `json:"month"`
	MadeAt time.Time `json:"made_at"`
	Made   string    `json:"made"` // as a table writes it: 2026-11-01

	Systems []json.RawMessage `json:"systems"` // of a table of support
}

var monthForm = regexp.MustCompile(`^20\d\d-(0[1-9]|1[0-2])$`)

// judgeImport looks at a file and at what was typed beside it. What the file says of itself counts, and must not be other than
// what was typed.
func judgeImport(form map[string]string, text []byte, keys map[string][]byte, cal calendar, now time.Time) (store.Reference, []byte, *importProblem) {
	refuse := func(word string, args ...any) (store.Reference, []byte, *importProblem) {
		return store.Reference{}, nil, &importProblem{field: "file", word: word, args: args}
	}
	switch {
	case len(text) == 0:
		return refuse("empty")
	case len(text) > maxReference:
		return refuse("large", maxReference>>20)
	}
	content, signer, err := unseal(text, keys)
	switch {
	case errors.Is(err, seal.ErrUnknownKey):
		return refuse("key")
	case errors.Is(err, seal.ErrBadSignature):
		return refuse("signature")
	case err != nil:
		return refuse("damaged")
	}
	head, isJSON := readHead(content)
	if bytes.HasPrefix(bytes.TrimPrefix(content, []byte("\ufeff")), []byte(policy.BaselineTitle)) {
		table, err := policy.ParseBaseline(content)
		if err != nil {
			return store.Reference{}, nil, &importProblem{field: "file", word: "table", raw: err.Error()}
		}
		head, isJSON = referenceHead{Kind: policy.ReferenceBaseline, Name: table.From, Month: table.Month, MadeAt: table.Made}, true
	}
	ref := store.Reference{Reference: policy.Reference{Kind: either(head.Kind, form["kind"]), Name: either(head.Name, form["name"]), MadeAt: head.MadeAt.UTC(), Size: int64(len(content)), SignedBy: signer},
		Month: either(head.Month, narrow(form["month"]))}
	if problem := fits(ref, head, form, isJSON, len(content)); problem != nil {
		return ref, nil, problem
	}
	if ref.MadeAt.IsZero() {
		made, ok := dayOf(form["made"], cal.zone)
		if !ok {
			return ref, nil, &importProblem{field: "made", word: "made"}
		}
		ref.MadeAt = made.UTC()
	}
	if ref.MadeAt.After(now.Add(day)) || ref.MadeAt.Year() < 2000 {
		return refuse("date", cal.short(ref.MadeAt))
	}
	if ref.Kind == policy.ReferenceBaseline { // as terminals read it: what they would refuse must not be published
		if _, err := policy.ParseBaseline(content); err != nil {
			return ref, nil, &importProblem{field: "file", word: "table", raw: err.Error()}
		}
	}
	return ref, content, nil
}

func fits(ref store.Reference, head referenceHead, form map[string]string, isJSON bool, size int) *importProblem {
	switch {
	case !slices.Contains([]string{policy.ReferenceBaseline, policy.ReferenceAdvisory, policy.ReferenceSupport}, ref.Kind):
		return &importProblem{field: "kind", word: "kind"}
	case form["kind"] != "" && form["kind"] != ref.Kind:
		return &importProblem{field: "kind", word: "other_kind"}
	case ref.Kind != policy.ReferenceAdvisory && !isJSON:
		return &importProblem{field: "file", word: "not"}
	case ref.Kind != policy.ReferenceAdvisory && size > maxBaseline:
		return &importProblem{field: "file", word: "large", args: []any{maxBaseline >> 20}}
	case ref.Kind == policy.ReferenceSupport && (size > maxSupport || len(head.Systems) == 0):
		return &importProblem{field: "file", word: "not"}
	case ref.Name == "" || !utf8.ValidString(ref.Name) || utf8.RuneCountInString(ref.Name) > 200 || strings.ContainsFunc(ref.Name, func(c rune) bool { return c < ' ' }):
		return &importProblem{field: "name", word: "name"}
	case ref.Kind == policy.ReferenceBaseline && !monthForm.MatchString(ref.Month):
		return &importProblem{field: "month", word: "month"}
	case form["month"] != "" && head.Month != "" && narrow(form["month"]) != head.Month:
		return &importProblem{field: "month", word: "other_month", args: []any{head.Month, narrow(form["month"])}}
	}
	return nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// unseal opens an envelope when the text is one. A text that is none is nobody's.
func unseal(text []byte, keys map[string][]byte) (content []byte, signer string, err error) {
	start := text[:min(len(text), 256)]
	if !bytes.Contains(start, []byte(`"key"`)) || !bytes.Contains(start, []byte(`"payload"`)) {
		return text, "", nil
	}
	var e seal.Envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, "", err
	}
	content, err = seal.OpenReference(keys, e)
	return content, e.Key, err
}

// readHead reads what a JSON text says of itself; another text says nothing.
func readHead(content []byte) (h referenceHead, ok bool) {
	if len(content) > maxBaseline {
		return h, false
	}
	if json.Unmarshal(content, &h) != nil {
		var any json.RawMessage
		return referenceHead{}, json.Unmarshal(content, &any) == nil
	}
	if h.MadeAt.IsZero() {
		h.MadeAt, _ = time.Parse(time.DateOnly, h.Made) // without a date the form asks for one
	}
	return h, true
}
