package web

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// maxSample is how much of a pasted sample is looked at, as much as a terminal looks at.
const maxSample = 64 << 10

// triedRow is what a terminal would read from a pasted sample.
type triedRow struct {
	Row    int              `json:"row"`
	Fact   string           `json:"fact"`
	Type   policy.ValueType `json:"type"`
	Read   bool             `json:"read"`
	Value  string           `json:"value,omitempty"`
	At     time.Time        `json:"at,omitzero"`
	Code   string           `json:"code,omitempty"`
	Fault  string           `json:"fault,omitempty"`
	Future bool             `json:"future,omitempty"`
}

// triedResult is what a check would come to with what was read.
type triedResult struct {
	Check  string        `json:"check"`
	Name   string        `json:"name"`
	Result policy.Result `json:"result"`
	Code   string        `json:"code,omitempty"`
	Value  string        `json:"value,omitempty"`
	Want   string        `json:"want,omitempty"`
}

// try reads the samples with the functions that terminals read with, and judges what came of it.
func (b *probePage) try(p *pages, h policy.Health, one policy.Probe, now time.Time) {
	readings := []policy.Reading{origin(one, policy.FactInstalled, "", now).Bool(true)}
	for _, i := range b.Facts {
		at := "f" + strconv.Itoa(i) + "."
		sample := b.Form[at+"sample"]
		if strings.TrimSpace(sample) == "" {
			continue
		}
		fact := one.Facts[i]
		raw, problem := rawOf(fact.Place[0], sample, b.Form[at+"as"])
		if problem != "" {
			b.refuse(at+"sample", p.words.say(problem))
			continue
		}
		r := fact.Form.Read(origin(one, fact.Fact, placeWords(fact.Place[0]), now), raw)
		b.Tried = append(b.Tried, triedOf(i, fact, r, now))
		readings = append(readings, r)
	}
	if len(b.Tried) > 0 {
		b.judge(p, h, one, readings, now)
	}
}

func origin(one policy.Probe, fact, source string, now time.Time) policy.Origin {
	return policy.Origin{Fact: fact, Product: one.ID, Label: one.Product, Source: source, At: now}
}

func triedOf(row int, fact policy.ProbeFact, r policy.Reading, now time.Time) triedRow {
	t := triedRow{Row: row, Fact: fact.Fact, Type: fact.Form.Type, Read: r.Read(), Value: r.Value()}
	if t.Read {
		if at, ok := r.Moment(); ok {
			t.At, t.Future = at, at.After(now.Add(26*time.Hour)) && fact.Fact != policy.FactLicenceEnd
		}
		return t
	}
	t.Code, t.Fault = r.Why()
	return t
}

// rawOf makes of a sample what a terminal would have got from the place. The word says what is wrong with the sample.
func rawOf(p policy.Place, sample, as string) (policy.Raw, string) {
	if len(sample) > maxSample {
		return policy.Raw{}, "health.try.too_long"
	}
	text := []byte(sample)
	switch as {
	case "hex":
		raw, err := hex.DecodeString(onlyHex(sample))
		if err != nil || len(raw) == 0 {
			return policy.Raw{}, "health.try.bad_hex"
		}
		if p.Kind == policy.PlaceRegistry {
			return p.Trim(policy.Raw{Bytes: raw}), ""
		}
		text = raw
	case "number":
		n, err := strconv.ParseUint(strings.TrimSpace(narrow(sample)), 0, 64)
		if err != nil {
			return policy.Raw{}, "health.try.bad_number"
		}
		return p.Trim(policy.Raw{Number: &n}), ""
	}
	if p.Kind == policy.PlaceHeader && as != "hex" && len(text) < p.Size { // what was copied has lost the blanks at its end
		text = append(text, bytes.Repeat([]byte{' '}, min(p.Size-len(text), maxSample))...)
	}
	if p.Kind == policy.PlaceRegistry || p.Kind == policy.PlaceWMI {
		return p.Trim(p.Cut(text)), ""
	}
	return p.Cut(text), ""
}

// onlyHex takes away what dumps put between bytes: blanks, commas, 0x, a line's end.
func onlyHex(s string) string {
	s = strings.NewReplacer("0x", "", "0X", "", "hex:", "").Replace(s)
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,:-\\\r\n\t", r) {
			return -1
		}
		return r
	}, s)
}

// judge gives what the checks of antivirus software would say of a terminal that has this product alone and from which
// exactly the samples were read.
func (b *probePage) judge(p *pages, h policy.Health, one policy.Probe, readings []policy.Reading, now time.Time) {
	h.Probes = []policy.Probe{one}
	var checks []policy.Check
	for _, c := range h.Checks {
		if strings.HasPrefix(c.ID, policy.AreaAntivirus+".") {
			c.Off, c.Group, c.OS = false, nil, nil
			checks = append(checks, c)
		}
	}
	h.Checks = checks
	doc := &policy.Policy{Schema: policy.Schema, Group: b.Group.ID, Health: &h}
	for _, c := range policy.Judge(doc, &policy.Survey{OS: one.OS, Up: 30 * day, Readings: readings}, nil, now) {
		b.Results = append(b.Results, triedResult{c.Check, p.checkName(c.Check), c.Result, c.Code, c.Value, c.Want})
	}
}

// placeWords says where a fact stands.
func placeWords(p policy.Place) string {
	switch p.Kind {
	case policy.PlaceCommand:
		return p.Command
	case policy.PlaceService, policy.PlaceProcess:
		return p.Value
	case policy.PlaceRegistry, policy.PlaceWMI:
		return fmt.Sprint(p.Path, " ", p.Class, p.Value)
	}
	return p.Path
}
