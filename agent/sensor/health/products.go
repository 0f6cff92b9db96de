package health

import (
	"context"
	"runtime"
	"time"

	"sekisho/internal/policy"
)

// products reads what the probes ask of each product. A product that is not there is asked nothing more: what an
// uninstaller left behind says nothing.
func (e *Eyes) products(ctx context.Context, probes []policy.Probe) []policy.Reading {
	f := &fetcher{eyes: e, ctx: ctx, answers: map[string]answer{}}
	var out []policy.Reading
	for i := range probes {
		p := &probes[i]
		if p.Off || p.OS != e.system() {
			continue
		}
		there := e.detect(f, p)
		if out = append(out, there); !there.Read() || there.Value() != "true" {
			continue
		}
		out = append(out, e.facts(f, p)...)
	}
	if e.Windows != nil {
		return e.Windows.Witness(ctx, out, probes)
	}
	return out
}

func (e *Eyes) system() string {
	if e.Windows != nil {
		return "windows"
	}
	return runtime.GOOS
}

// detect says whether a product is there: one place that says so is enough, and none may be left unseen to say that it is not.
func (e *Eyes) detect(f *fetcher, p *policy.Probe) policy.Reading {
	o := e.product(policy.FactInstalled, p)
	failed := o.Bool(false)
	for _, place := range p.Detect {
		for _, raw := range f.fetch(place) {
			o.Source = raw.source
			switch raw.Code {
			case "":
				if raw.Text != "false" && raw.Text != "absent" {
					return o.Bool(true)
				}
			case policy.CodeMissing:
			default:
				failed = o.Unread(raw.Code, raw.Fault)
			}
		}
	}
	return failed
}

func (e *Eyes) product(fact string, p *policy.Probe) policy.Origin {
	return policy.Origin{Fact: fact, Product: p.ID, Label: p.Product, At: e.Now()}
}

// facts reads the facts of one product, each once, in the order of the probe.
func (e *Eyes) facts(f *fetcher, p *policy.Probe) []policy.Reading {
	var out []policy.Reading
	done := map[string]int{}
	for i := range p.Facts {
		fact := &p.Facts[i]
		r := e.fact(f, p, fact)
		at, again := done[fact.Fact]
		switch {
		case !again:
			done[fact.Fact] = len(out)
			out = append(out, r)
		case better(r, out[at]):
			out[at] = r
		}
	}
	return out
}

func (e *Eyes) fact(f *fetcher, p *policy.Probe, fact *policy.ProbeFact) policy.Reading {
	best := e.product(fact.Fact, p).Unread(policy.CodeMissing, "cannot find the value")
	for _, place := range fact.Place {
		for _, raw := range f.fetch(place) {
			o := e.product(fact.Fact, p)
			o.Source = raw.source
			if r := fact.Form.Read(o, raw.Raw); better(r, best) {
				best = r
			}
		}
	}
	return best
}

// better says whether a reading tells more than another: a value more than none, a newer date more than an older one (of two
// databases the newer one is used), a reason more than mere absence.
func better(r, than policy.Reading) bool {
	if r.Read() != than.Read() {
		return r.Read()
	}
	if !r.Read() {
		code, _ := than.Why()
		other, _ := r.Why()
		return code == policy.CodeMissing && other != policy.CodeMissing
	}
	a, isTime := r.Moment()
	b, both := than.Moment()
	if isTime && both {
		return a.After(b)
	}
	return yes(r) && !yes(than)
}

// yes: of several services or programs of a product one that runs is enough.
func yes(r policy.Reading) bool { return r.IsYes() }

// commandTime bounds one command of a probe.
const commandTime = 10 * time.Second
