package store

import (
	"strings"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// OutcomeCheck stands before a result where an event has its outcome.
const OutcomeCheck = "check_"

// Reasons with which a condition closes by itself; a page says them in words.
const (
	ClosedByResult = "condition: result"
	ClosedByWaiver = "condition: waiver"
)

// checkFacts is the part of a check's record that becomes columns.
type checkFacts struct {
	Check   string        `json:"check"`
	Result  policy.Result `json:"result"`
	Product string        `json:"product"`
	Stage   string        `json:"stage"`
	Waiver  string        `json:"waiver"`
}

// describeCheck puts the check where a device stands; its id is what tells it from the next one.
func (r *row) describeCheck(f *checkFacts) {
	r.serial, r.outcome = clean(f.Check), clean(OutcomeCheck+string(f.Result))
	name := f.Check
	if info, ok := policy.CheckOf(f.Check); ok {
		name = info.Name.JA
	}
	r.device = clean(strings.TrimSpace(name + " " + f.Product))
	switch {
	case f.Result == policy.ResultPass || f.Result == policy.ResultNotApplicable:
		r.ends = ClosedByResult
	case f.Waiver != "":
		r.ends = ClosedByWaiver
	}
}

// judgeCheck: a failure is a violation when its grace is over and nobody answers for it; before, and when nobody knows, it is
// a notice. What leads out of the closed LAN needs a person today.
func judgeCheck(f *checkFacts) (severity string, violation bool) {
	info, _ := policy.CheckOf(f.Check)
	switch {
	case f.Result == policy.ResultPass || f.Result == policy.ResultNotApplicable:
		return severeInfo, false
	case f.Result != policy.ResultFail || f.Waiver != "":
		return severeNotice, false
	case f.Stage == policy.StageViolation && info.Area == policy.AreaNetwork:
		return severeAlarm, true
	case f.Stage == policy.StageViolation:
		return severeWarn, true
	case f.Stage == policy.StageWarning:
		return severeWarn, false
	}
	return severeNotice, false
}

// judgeAct is for what was done about a failure, which is a violation of its own record: only an adapter that could not be disabled, or not
// be given back, needs a person beside that.
func judgeAct(f facts) (severity string, violation bool) {
	switch f.Outcome {
	case policy.OutcomeBlockFailed:
		return severeAlarm, true
	case policy.OutcomeAllowFailed:
		return severeWarn, true
	case policy.OutcomeBlocked, policy.OutcomeDetected, policy.OutcomeAudit:
		return severeNotice, false
	}
	return severeInfo, false
}

// conditions looks at records of checks before they are kept: what is open already is no second violation.
func (s *groupTx) conditions(terminal string, fresh []row) error {
	open := map[string]bool{}
	for i := range fresh {
		r := &fresh[i]
		if r.kind != wire.RecordCheck || r.acted {
			continue
		}
		if r.ends != "" {
			open[r.serial] = false
		}
		if !r.violation {
			continue
		}
		is, known := open[r.serial]
		if !known {
			var n int
			if err := s.row(s.health.open, terminal, r.serial).Scan(&n); err != nil {
				return err
			}
			is = n > 0
		}
		open[r.serial] = true
		if is {
			r.violation, r.severity = false, severeInfo
		}
	}
	return nil
}

// closeConditions closes what was open before a record that says that it is over.
func (s *groupTx) closeConditions(journal int64, b *batch, fresh []row) error {
	for i := range fresh {
		r := &fresh[i]
		if r.ends == "" {
			continue
		}
		if _, err := s.exec(s.health.close, r.ends, ms(b.now), b.terminal, r.serial, journal, int64(r.seq)); err != nil {
			return err
		}
	}
	return nil
}
