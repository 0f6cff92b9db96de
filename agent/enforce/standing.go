package enforce

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sekisho/agent/enforce/applocker"
	"sekisho/internal/policy"
)

// The policies about programs, below HKLM: AppLocker's rules, one key each, as a group policy writes them and
// Get-AppLockerPolicy reads them (scripts/prove-windows.ps1 compares), and Windows Installer's
// (https://learn.microsoft.com/windows/win32/msi/disablemsi).
const (
	appLockerKey = `SOFTWARE\Policies\Microsoft\Windows\SrpV2`
	modeValue    = "EnforcementMode" // 0 writes into the log only, 1 stops
	ruleValue    = "Value"
	installerKey = `SOFTWARE\Policies\Microsoft\Windows\Installer`
	disableMSI   = "DisableMSI" // 1: only what a domain installs; 2 would keep repairs and updates from everybody
)

// standing is what Windows itself holds against programs, with or without the agent: noted before it is written, undone
// byte for byte. It never joins its rules with those of somebody else: together they would mean something that neither wanted.
type standing struct {
	reg keys
	dir string // of the ledgers
}

func (s standing) applocker() ledger { return ledger{s.reg, filepath.Join(s.dir, "applocker.json")} }
func (s standing) installer() ledger { return ledger{s.reg, filepath.Join(s.dir, "installer.json")} }

// set makes both as wanted and says whether AppLocker was told something else than before.
func (s standing) set(rules applocker.Policy, closed bool) (changed bool, err error) {
	if changed, err = s.setRules(rules); err != nil {
		err = fmt.Errorf("cannot give AppLocker its rules: %w", err)
	}
	if e := s.setInstaller(closed); e != nil {
		err = errors.Join(err, fmt.Errorf("cannot close Windows Installer: %w", e))
	}
	return changed, err
}

func (s standing) setInstaller(closed bool) error {
	if !closed {
		return s.installer().undo()
	}
	return s.installer().want([]wish{{key: installerKey, name: disableMSI, value: dword(1)}})
}

func (s standing) setRules(rules applocker.Policy) (changed bool, err error) {
	l := s.applocker()
	n, err := l.load()
	if err != nil {
		return false, err
	}
	if theirs, err := s.theirs(n); err != nil || theirs != "" {
		return len(n.Values) > 0, errors.Join(err, conflict(theirs), s.undoRules())
	}
	if len(rules.Rules) == 0 {
		return l.used(), s.undoRules()
	}
	if sameRules(n, rules) && missing(s.reg, ruleWishes(rules, rules.Enforce)) == "" {
		return false, nil
	}
	if len(n.Values) > 0 && !sameRules(n, rules) {
		if err := s.undoRules(); err != nil {
			return true, err
		}
	}
	return true, s.writeRules(rules)
}

// writeRules stops nothing before the last rule stands: rules that are half there stop too much.
func (s standing) writeRules(rules applocker.Policy) error {
	if err := s.applocker().wantMany(ruleWishes(rules, false)); err != nil || !rules.Enforce {
		return err
	}
	return s.applocker().wantMany(modeWishes(true))
}

// undoRules begins with letting everything through, for the same reason.
func (s standing) undoRules() error {
	l := s.applocker()
	n, err := l.load()
	if err != nil {
		return err
	}
	for _, w := range modeWishes(false) {
		have, ok, err := s.reg.Value(w.key, w.name)
		if at := n.find(w); err == nil && ok && at >= 0 && n.Values[at].ours(have) && !have.equal(w.value) {
			if err := s.reg.Set(w.key, w.name, w.value); err != nil {
				return fmt.Errorf("cannot write %s: %w", w.full(), err)
			}
		}
	}
	return l.undo()
}

func (s standing) undo() error { return errors.Join(s.undoRules(), s.installer().undo()) }

// state reads the registry: "off", "records" or "stops", or "failed: …".
func (s standing) state(rules applocker.Policy) string {
	if len(rules.Rules) == 0 {
		return "off"
	}
	if why := missing(s.reg, ruleWishes(rules, rules.Enforce)); why != "" {
		return "failed: " + why
	}
	if rules.Enforce {
		return "stops"
	}
	return "records"
}

func conflict(theirs string) error {
	if theirs == "" {
		return nil
	}
	return fmt.Errorf("conflict: %s was set by a group policy or an administrator; theirs was left, and none of ours stands beside it", theirs)
}

// theirs names something in AppLocker's keys that is not ours.
func (s standing) theirs(n notes) (string, error) {
	for _, c := range applocker.Collections() {
		key := appLockerKey + `\` + string(c)
		if found, err := s.theirMode(n, key); err != nil || found != "" {
			return found, err
		}
		names, err := s.reg.Below(key)
		if err != nil {
			return "", fmt.Errorf("cannot read HKLM\\%s: %w", key, err)
		}
		for _, name := range names {
			if found, err := s.theirRule(n, key+`\`+name); err != nil || found != "" {
				return found, err
			}
		}
	}
	return "", nil
}

func (s standing) theirMode(n notes, key string) (string, error) {
	return s.theirValue(n, wish{key: key, name: modeValue})
}

// theirRule: a key that is empty, or no longer noted, says nothing and is left.
func (s standing) theirRule(n notes, key string) (string, error) {
	return s.theirValue(n, wish{key: key, name: ruleValue})
}

func (s standing) theirValue(n notes, w wish) (string, error) {
	have, ok, err := s.reg.Value(w.key, w.name)
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", w.full(), err)
	}
	if at := n.find(w); !ok || at >= 0 && n.Values[at].ours(have) {
		return "", nil
	}
	return w.full(), nil
}

// sameRules says whether the notes are of just these rules.
func sameRules(n notes, rules applocker.Policy) bool {
	noted := map[string]bool{}
	for _, v := range n.Values {
		if v.Name == ruleValue {
			noted[strings.ToLower(v.Key)] = true
		}
	}
	for _, r := range rules.Rules {
		if !noted[strings.ToLower(ruleKey(r))] {
			return false
		}
	}
	return len(noted) == len(rules.Rules)
}

func ruleKey(r applocker.Rule) string {
	return appLockerKey + `\` + string(r.Collection) + `\` + r.ID
}

// ruleWishes begin with the mode: rules without one are enforced.
func ruleWishes(rules applocker.Policy, stop bool) []wish {
	out := modeWishes(stop)
	for _, r := range rules.Rules {
		out = append(out, wish{key: ruleKey(r), name: ruleValue, value: text(r.XML)})
	}
	return out
}

func modeWishes(stop bool) []wish {
	var out []wish
	mode, other := dword(0), dword(1)
	if stop {
		mode, other = other, mode
	}
	for _, c := range applocker.Written() {
		out = append(out, wish{key: appLockerKey + `\` + string(c), name: modeValue, value: mode, or: []regValue{other}})
	}
	return out
}

// installerClosed says whether Windows Installer is to take only what the domain installs: where the policy stops a package
// that somebody brings, and no rule or running permission could let one through.
func installerClosed(p *policy.Policy, now time.Time) bool {
	if p == nil || p.Software == nil || p.Software.Mode != policy.ModeEnforce {
		return false
	}
	brought := policy.Program{ID: "msi:brought", Kind: policy.ProgramMSI, Source: policy.SourceLocal}
	if policy.DecideProgram(p, brought, now).Action != policy.ActionBlock {
		return false
	}
	return !slices.ContainsFunc(p.Software.Rules, func(r policy.ProgramRule) bool {
		return r.Action != policy.ActionBlock && reachesPackages(p.Group, r.Match)
	}) && !slices.ContainsFunc(p.Software.Permits, func(t policy.Permit) bool {
		return !now.Before(t.From) && now.Before(t.Until) && reachesPackages(p.Group, t.Match)
	})
}

func reachesPackages(group string, m policy.ProgramMatch) bool {
	return (len(m.Group) == 0 || slices.Contains(m.Group, group)) &&
		(len(m.Kind) == 0 || slices.Contains(m.Kind, policy.ProgramMSI)) &&
		(len(m.Source) == 0 || slices.Contains(m.Source, policy.SourceLocal) || slices.Contains(m.Source, policy.SourceUnknown))
}
