package policy

import "time"

// Survey is everything that one look at the terminal read.
type Survey struct {
	OS       string        // linux, windows
	Up       time.Duration // how long the machine has been on
	Doubt    bool          // its time cannot be trusted: nothing is judged by a date
	Readings []Reading
	Acts     []Acted // what was done about failures, and still stands
}

// verdict is what a check came to; the zero verdict is unknown.
type verdict struct {
	result                                             Result
	code, value, want, source, product, against, fault string
	asOf                                               time.Time
}

func (v verdict) worse(w verdict) bool { return gravity(v.result) > gravity(w.result) }

// gravity orders results where all must be right; between two failures the first stands.
func gravity(r Result) int {
	switch r {
	case ResultFail:
		return 4
	case ResultPass:
		return 2
	case ResultNotApplicable:
		return 1
	}
	return 3
}

// worst is the verdict where every part must be right. No parts are no answer.
func worst(all []verdict) verdict {
	if len(all) == 0 {
		return verdict{code: CodeUnread}
	}
	out := all[0]
	for _, v := range all[1:] {
		if v.worse(out) {
			out = v
		}
	}
	return out
}

// best is the verdict where one part that is right is enough: what cannot be judged might be right, so that it outweighs a failure.
func best(all []verdict) verdict {
	if len(all) == 0 {
		return verdict{code: CodeUnread}
	}
	rank := map[Result]int{ResultPass: 0, ResultUnknown: 1, "": 1, ResultFail: 2, ResultNotApplicable: 3}
	out := all[0]
	for _, v := range all[1:] {
		if rank[v.result] < rank[out.result] {
			out = v
		}
	}
	return out
}

// sound is a reading that may be believed: it was read, not long ago, is what its fact is, and can be true. Only vouch makes
// one, and only a sound reading can pass.
type sound struct{ Reading }

// vouch looks whether a reading may be believed; where it may not, the verdict says why, and is never a pass.
func (j *judging) vouch(r Reading) (sound, verdict, bool) {
	if r.none {
		return sound{}, r.verdict(ResultNotApplicable, r.code), false
	}
	code, fault := j.doubt(r)
	if code == "" {
		return sound{r}, verdict{}, true
	}
	v := r.verdict(ResultUnknown, code)
	v.fault = fault
	return sound{}, v, false
}

var mayLieAhead = map[string]bool{FactSupportEnd: true, FactLicenceEnd: true}

func (j *judging) doubt(r Reading) (code, fault string) {
	age := j.now.Sub(r.origin.At)
	switch {
	case r.is == "":
		return r.Why()
	case r.origin.At.IsZero() || age > readingAge || age < -clockSlack:
		return CodeStale, ""
	case r.is != factTypes[r.origin.Fact]:
		return CodeWrongType, ""
	case r.is == TypeTime && j.survey.Doubt:
		return CodeClock, ""
	case r.is == TypeTime && !r.never && !mayLieAhead[r.origin.Fact] && r.at.After(j.now.Add(clockSlack)):
		return CodeFuture, ""
	case r.is == TypeTime && !r.never && r.at.Year() < 2000:
		return CodeImplausible, ""
	}
	return "", ""
}

func (r Reading) verdict(result Result, code string) verdict {
	return verdict{result: result, code: code, value: r.Value(), source: r.origin.Source, product: r.label()}
}

func (r Reading) label() string {
	if r.origin.Label != "" {
		return r.origin.Label
	}
	return r.origin.Product
}

func (s sound) pass(want string) verdict { return s.passAs("", want) }

func (s sound) passAs(code, want string) verdict {
	if s.is == "" {
		return verdict{code: CodeUnread} // nobody vouched for it
	}
	v := s.verdict(ResultPass, code)
	v.want = want
	return v
}

func (s sound) fail(code, want string) verdict {
	v := s.verdict(ResultFail, code)
	v.want = want
	return v
}
