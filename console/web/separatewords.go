package web

import (
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// did says what was done about a failure beside telling of it; "" is nothing. What was not seen to be disabled is not called so.
func (p *pages) did(a policy.Act) string {
	switch {
	case a == (policy.Act{}):
		return ""
	case a.Code != "":
		return p.words.say("separate.undone", p.words.word("separate.unclear", a.Code))
	}
	if text := p.words["separate.act."+string(a.Outcome)]; text != "" {
		return p.words.say("separate.act."+string(a.Outcome), a.Adapter)
	}
	return p.words.say("separate.act.block_failed", a.Adapter)
}

// adapterTitle says what a record tells that was done about a check.
func (p *pages) adapterTitle(rec wire.Record) string {
	key := "title.adapter." + string(rec.Outcome)
	if rec.Code == wire.CodeAdapterOn && rec.Outcome != policy.OutcomeAllowFailed {
		key = "title.adapter.allowed"
	}
	if _, ok := p.words[key]; !ok {
		key = "title.adapter.block_failed"
	}
	return p.words.say(key, p.checkName(rec.Check.Check))
}

// adapterDetail is the small line below it.
func (p *pages) adapterDetail(rec wire.Record) string {
	if text := p.did(rec.Check.Act); text != "" && rec.Code == wire.CodeAdapterOff && rec.Check.Act.Adapter != "" {
		return text
	}
	return rec.Note
}
