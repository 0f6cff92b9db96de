package winstate

import (
	"errors"
	"fmt"
	"strings"

	"sekisho/internal/policy"
)

const (
	desktopRules = `\Software\Policies\Microsoft\Windows\Control Panel\Desktop`
	desktopKey   = `\Control Panel\Desktop`
)

// screenLocks says for each person who is signed in after how many minutes the screen locks: by the machine's own limit, or by
// the person's screen saver. Who is not signed in has no hive that could be read.
func (e *Eyes) screenLocks() []policy.Reading {
	o := e.of(policy.FactLockIdle, systemKey+", HKU")
	machine, err := e.number(systemKey, "InactivityTimeoutSecs")
	if err != nil && !errors.Is(err, errAbsent) {
		return []policy.Reading{not(o, err)}
	}
	sids, err := e.people()
	if err != nil {
		return []policy.Reading{unread(o, err)}
	}
	if len(sids) == 0 && machine == 0 {
		return []policy.Reading{o.Unread(policy.CodeMissing, "cannot tell: nobody is signed in, and the machine has no limit of its own")}
	}
	if len(sids) == 0 {
		return []policy.Reading{o.Number(minutes(machine))}
	}
	var out []policy.Reading
	for _, sid := range sids {
		of := o
		of.Product, of.Label = sid, policy.OneLine(e.Machine.NameOf(sid))
		own, err := e.saver(sid)
		switch {
		case err != nil:
			out = append(out, not(of, err))
		case machine > 0 && (own == 0 || machine < own):
			out = append(out, of.Number(minutes(machine)))
		default:
			out = append(out, of.Number(minutes(own)))
		}
	}
	return out
}

func minutes(seconds uint64) int64 { return int64(min(seconds, 1<<31)+59) / 60 }

// people are the hives of those who are signed in, not of services.
func (e *Eyes) people() ([]string, error) {
	names, err := e.Machine.Keys("HKU", "64")
	if err != nil {
		return nil, fmt.Errorf("cannot list who is signed in: %w", err)
	}
	var out []string
	for _, n := range names {
		if strings.HasPrefix(n, "S-1-5-21-") && !strings.HasSuffix(strings.ToLower(n), "_classes") || strings.HasPrefix(n, "S-1-12-1-") && !strings.HasSuffix(strings.ToLower(n), "_classes") {
			out = append(out, n)
		}
	}
	return out, nil
}

// saver gives the seconds after which the person's screen saver asks for the password; 0 is never.
func (e *Eyes) saver(sid string) (uint64, error) {
	program, err := e.desktop(sid, "SCRNSAVE.EXE")
	if err != nil {
		return 0, err
	}
	active, err := e.desktop(sid, "ScreenSaveActive")
	if err != nil {
		return 0, err
	}
	secure, err := e.desktop(sid, "ScreenSaverIsSecure")
	if err != nil {
		return 0, err
	}
	after, err := e.desktop(sid, "ScreenSaveTimeOut")
	if err != nil {
		return 0, err
	}
	if program == "" || active != "1" || secure != "1" || after == "" {
		return 0, nil
	}
	raw := policy.Form{Type: policy.TypeNumber}.Read(e.of(policy.FactLockIdle, ""), policy.Raw{Text: after})
	n, ok := raw.Amount()
	if !ok || n < 0 || n > 1<<31 {
		return 0, rawError{policy.Raw{Code: policy.CodeWrongType, Fault: "cannot read ScreenSaveTimeOut: " + policy.OneLine(after)}}
	}
	return uint64(n), nil
}

// desktop reads a setting of a person: a policy's value counts before their own. One that is missing is Windows' default: not set.
func (e *Eyes) desktop(sid, name string) (string, error) {
	for _, key := range []string{`HKU\` + sid + desktopRules, `HKU\` + sid + desktopKey} {
		s, err := e.words(key, name)
		if errors.Is(err, errAbsent) {
			continue
		}
		return s, err
	}
	return "", nil
}
