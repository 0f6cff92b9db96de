package policy

import (
	"slices"
	"time"
)

// installed gives the products that are there. Without one the verdict says why, and it is never a pass.
func (j *judging) installed() ([]sound, verdict) {
	var there []sound
	var doubtful []verdict
	for _, r := range j.all(FactInstalled) {
		s, v, ok := j.vouch(r)
		switch {
		case !ok && v.result != ResultNotApplicable:
			doubtful = append(doubtful, v)
		case ok && s.yes:
			there = append(there, s)
		}
	}
	switch {
	case len(doubtful) > 0:
		return there, doubtful[0]
	case len(j.all(FactInstalled)) == 0:
		return there, verdict{code: CodeUnread}
	}
	return there, verdict{result: ResultFail, code: CodeNoProduct}
}

// products judges each product that is there; one that is right is enough.
func (j *judging) products(of []sound, otherwise verdict, judge func(sound) verdict) verdict {
	var all []verdict
	for _, s := range of {
		v := judge(s)
		v.product = j.named(s)
		all = append(all, v)
	}
	if v := best(all); len(all) > 0 && (v.result == ResultPass || otherwise.result == ResultFail) {
		return v
	}
	return otherwise
}

// named gives the product with its version, where that was read.
func (j *judging) named(s sound) string {
	if v := j.of(FactVersion, s.origin.Product); v.is == TypeText {
		return s.label() + " " + v.text
	}
	return s.label()
}

func judgePresent(j *judging) verdict {
	there, otherwise := j.installed()
	v := j.products(there, otherwise, func(product sound) verdict {
		return j.product(FactRunning, product, func(s sound) verdict {
			if !s.yes {
				return s.fail(CodeStopped, "true")
			}
			return s.pass("true")
		})
	})
	if v.result == ResultPass && j.working(there) > 1 {
		v.code = CodeTwoProducts
	}
	return v
}

// working counts the products that run: one that Windows put to sleep beside another is no second one.
func (j *judging) working(there []sound) int {
	n := 0
	for _, s := range there {
		if r, _, ok := j.vouch(j.of(FactRunning, s.origin.Product)); ok && r.yes {
			n++
		}
	}
	return n
}

// product judges one fact of one product.
func (j *judging) product(fact string, product sound, judge func(sound) verdict) verdict {
	s, v, ok := j.vouch(j.of(fact, product.origin.Product))
	if !ok {
		return v
	}
	return judge(s)
}

func judgeRealtime(j *judging) verdict {
	there, otherwise := j.installed()
	return j.products(there, otherwise, j.realtime)
}

func (j *judging) realtime(product sound) verdict {
	return j.product(FactRealtime, product, func(s sound) verdict {
		if !s.yes {
			return s.fail(CodeOff, "true")
		}
		if r, _, ok := j.vouch(j.of(FactRunning, product.origin.Product)); ok && !r.yes {
			return r.fail(CodeStopped, "true") // what is set says nothing while nothing runs
		}
		if r, _, ok := j.vouch(j.of(FactReduced, product.origin.Product)); ok && r.yes {
			return r.fail(CodeReduced, "false")
		}
		if l, _, ok := j.vouch(j.of(FactLicenceEnd, product.origin.Product)); ok && !l.never && !l.at.After(j.now) {
			return l.fail(CodeLicence, "")
		}
		return s.pass("true")
	})
}

// active gives the products whose patterns count: those that look at what is opened; without one, all that are there.
func (j *judging) active() ([]sound, verdict) {
	there, otherwise := j.installed()
	var on []sound
	for _, s := range there {
		if j.realtime(s).result == ResultPass {
			on = append(on, s)
		}
	}
	if len(on) > 0 {
		return on, verdict{result: ResultFail, code: CodeNoProduct}
	}
	return there, otherwise
}

func (j *judging) patternless(product sound) bool {
	return slices.ContainsFunc(j.health.Probes, func(p Probe) bool { return p.ID == product.origin.Product && p.Patternless })
}

// reference gives the newest pattern of a product that is known on this LAN.
func (j *judging) reference(product string) (sound, *Reference) {
	var newest *Reference
	for i := range j.health.References {
		r := &j.health.References[i]
		if r.Kind == ReferencePatterns && r.Product == product && (newest == nil || r.MadeAt.After(newest.MadeAt)) {
			newest = r
		}
	}
	if newest == nil {
		return sound{}, nil
	}
	made := Origin{Fact: FactPatternDate, Product: product, Source: newest.Name, Raw: newest.MadeAt.UTC().Format(time.RFC3339), At: j.now}.Time(newest.MadeAt)
	if s, _, ok := j.vouch(made); ok {
		return s, newest
	}
	return sound{}, nil
}

// judgePatterns says whether the terminal is behind its source. How old the source is, is another check.
func judgePatterns(j *judging) verdict {
	on, otherwise := j.active()
	return j.products(on, otherwise, func(product sound) verdict {
		if j.patternless(product) {
			return product.verdict(ResultNotApplicable, CodePatternless)
		}
		return j.product(FactPatternDate, product, func(s sound) verdict { return j.behind(s, product.origin.Product) })
	})
}

func (j *judging) behind(s sound, product string) verdict {
	limit, want := j.limit("behind"), j.limit("behind").String()
	if s.never {
		return s.fail(CodeNever, want)
	}
	if !limit.Exceeded(s.at, j.now, j.health.Calendar) {
		return j.against(s.pass(want), product) // no source can be newer than now
	}
	source, ref := j.reference(product)
	switch {
	case ref == nil && limit.Exceeded(s.at, j.now.Add(-j.limit("source").Length()), j.health.Calendar):
		return s.fail(CodeOld, want) // it is behind, or its source is too old: one of both
	case ref == nil:
		return s.verdict(ResultUnknown, CodeNoReference)
	case limit.Exceeded(s.at, source.at, j.health.Calendar):
		return j.against(s.fail(CodeBehind, want), product)
	}
	return j.against(s.pass(want), product)
}

func (j *judging) against(v verdict, product string) verdict {
	if _, ref := j.reference(product); ref != nil {
		v.against, v.asOf = ref.Name, ref.MadeAt
	}
	return v
}

// judgeSource says whether what the terminals are given is new. A terminal whose own pattern is new proves that it is.
func judgeSource(j *judging) verdict {
	on, otherwise := j.active()
	return j.products(on, otherwise, func(product sound) verdict {
		if j.patternless(product) {
			return product.verdict(ResultNotApplicable, CodePatternless)
		}
		limit := j.limit("age")
		own := j.product(FactPatternDate, product, func(s sound) verdict { return j.notLonger(s, limit, CodeSourceOld) })
		source, ref := j.reference(product.origin.Product)
		if own.result == ResultPass || ref == nil && own.result != ResultFail {
			return own
		}
		if ref == nil {
			own.result, own.code = ResultUnknown, CodeNoReference
			return own
		}
		return j.against(j.notLonger(source, limit, CodeSourceOld), product.origin.Product)
	})
}

func judgeScan(j *judging) verdict {
	there, otherwise := j.active()
	return j.products(there, otherwise, func(product sound) verdict {
		return j.product(FactScanFull, product, func(s sound) verdict { return j.notLonger(s, j.limit("age"), CodeOld) })
	})
}
