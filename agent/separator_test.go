package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce"
	"sekisho/internal/policy"
)

// wires is a terminal with a card of the office and a telephone, and the hand that turns its adapters.
type wires struct {
	t        *testing.T
	policy   *policy.Policy
	results  []policy.CheckResult
	deaf     bool // the console is not heard
	blind    error
	strange  bool // the console would be reached by the telephone
	plugged  bool // the telephone is in
	tethers  bool // and tethers
	down     bool
	stubborn bool // it does not go down
	noted    bool
	said     []string
	acts     []policy.Acted
	fault    string
	sep      *separator
	stop     func()
}

var phoneCard = policy.Adapter{ID: "4 usb0", Name: "usb0", Fact: policy.FactTethers, Word: "usb0 rndis_host"}

func newWires(t *testing.T, mode policy.Mode) *wires {
	w := &wires{t: t, plugged: true, tethers: true}
	w.govern(mode, policy.SeparateDisable)
	w.fails()
	w.sep = newSeparator(separatorOptions{
		Hand: w, Look: w.look, Heard: func() bool { return !w.deaf }, Policy: func() *policy.Policy { return w.policy },
		Results: func() []policy.CheckResult { return w.results }, Acted: func(l []policy.Acted) { w.acts = l }, Log: zerolog.Nop(),
		Said: func(s separated) {
			w.said = append(w.said, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.code, s.adapter.Name, s.result.Outcome, s.note)))
		},
		Fault: func(text string) { w.fault = text },
	})
	return w
}

func (w *wires) govern(mode policy.Mode, separate string) {
	p := policy.Builtin(policy.ModeAudit)
	p.Health = &policy.Health{Mode: mode, Checks: []policy.Check{{ID: "network.tether", Separate: separate}}}
	w.policy = p
}

func (w *wires) fails() {
	w.results = []policy.CheckResult{{Check: "network.tether", Result: policy.ResultFail, Stage: policy.StageViolation}}
}

func (w *wires) look() ([]policy.Adapter, error) {
	office := policy.Adapter{ID: "2 eth0", Name: "eth0", Fact: policy.FactCards, Word: "eth0", Linked: true, Reached: true, Routed: !w.strange}
	phone := phoneCard
	phone.Linked, phone.Routed = w.tethers && !w.down, w.strange
	if !w.plugged {
		return []policy.Adapter{office}, w.blind
	}
	return []policy.Adapter{office, phone}, w.blind
}

func (w *wires) Held() ([]policy.Adapter, error) { return nil, nil }

func (w *wires) State(policy.Adapter) enforce.AdapterState {
	switch {
	case !w.plugged:
		return enforce.AdapterGone
	case w.down:
		return enforce.AdapterDown
	}
	return enforce.AdapterUp
}

func (w *wires) Disable(context.Context, policy.Adapter) enforce.Result {
	w.noted = true
	if w.stubborn {
		return enforce.Result{Outcome: policy.OutcomeBlockFailed}
	}
	w.down = true
	return enforce.Result{Outcome: policy.OutcomeBlocked}
}

func (w *wires) Lift(context.Context, policy.Adapter) error { w.down = false; return nil }

func (w *wires) Release(context.Context, policy.Adapter) enforce.Result {
	w.down, w.noted = false, false
	if !w.plugged {
		return enforce.Result{Outcome: policy.OutcomeRemoved}
	}
	return enforce.Result{Outcome: policy.OutcomeAllowed}
}

func (w *wires) ReleaseAll(context.Context) ([]policy.Adapter, error) {
	was := w.noted
	w.down, w.noted = false, false
	if !was {
		return nil, nil
	}
	return []policy.Adapter{phoneCard}, nil
}

// begin runs the separator, and has it look every ten seconds, as checks do that fail.
func (w *wires) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.sep.run(ctx); close(done) }()
	w.stop = func() { cancel(); <-done }
	synctest.Wait()
}

func (w *wires) after(d time.Duration) {
	for end := time.Now().Add(d); ; time.Sleep(10 * time.Second) {
		ring(w.sep.poke)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if !time.Now().Before(end) {
			return
		}
	}
}

// expect says what was said since the last time, and what stands.
func (w *wires) expect(what string, down bool, outcome policy.Outcome, said ...string) {
	w.t.Helper()
	stands := policy.Outcome("")
	if len(w.acts) > 0 {
		stands = w.acts[0].Act.Outcome
	}
	if w.down != down || stands != outcome || !slices.Equal(w.said, said) {
		w.t.Errorf("%s: down %t, stands %q, said %q; not %t, %q, %q", what, w.down, stands, w.said, down, outcome, said)
	}
	w.said = nil
}

func story(t *testing.T, mode policy.Mode, tell func(*wires)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires(t, mode)
		w.begin()
		tell(w)
		w.stop()
	})
}

func TestATelephoneIsCutOffAndGivenBackWhenItIsUnplugged(t *testing.T) {
	story(t, policy.ModeEnforce, func(w *wires) {
		w.after(0)
		w.expect("plugged in", true, policy.OutcomeBlocked, "adapter_off usb0 blocked")
		if w.acts[0].Word != phoneCard.Word || w.acts[0].Fact != policy.FactTethers {
			t.Errorf("the check would pass: %+v", w.acts)
		}
		w.after(5 * time.Minute)
		w.expect("nothing new", true, policy.OutcomeBlocked)
		w.plugged, w.down = false, false
		w.after(0)
		w.expect("unplugged", false, "", "adapter_on usb0 removed it was unplugged")
	})
}

func TestWhatTheModeOnlyRecordsIsLeftAlone(t *testing.T) {
	for mode, outcome := range map[policy.Mode]policy.Outcome{policy.ModeAudit: policy.OutcomeAudit, policy.ModeWarn: policy.OutcomeDetected} {
		story(t, mode, func(w *wires) {
			w.after(5 * time.Minute)
			w.expect(string(mode), false, outcome, "adapter_off usb0 "+string(outcome))
		})
	}
}

func TestAnAgentThatOnlyLooksTouchesNoAdapter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires(t, policy.ModeEnforce)
		w.sep.Hand = nil
		w.begin()
		w.after(time.Minute)
		w.expect("--observe", false, policy.OutcomeAudit, "adapter_off usb0 audit")
		w.stop()
	})
}

func TestItComesBackWhenThePolicyAWaiverOrTheEndSaysSo(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*wires)
		note   string
	}{
		"report again": {func(w *wires) { w.govern(policy.ModeEnforce, policy.SeparateReport) }, "the policy does not ask for it any more"},
		"audit":        {func(w *wires) { w.govern(policy.ModeAudit, policy.SeparateDisable) }, "the policy does not ask for it any more"},
		"no checks":    {func(w *wires) { w.policy = policy.Builtin(policy.ModeAudit) }, "the policy does not ask for it any more"},
		"a waiver":     {func(w *wires) { w.results[0].Waiver = "W-1" }, "a waiver covers it"},
		"it is listed": {func(w *wires) { w.policy.Health.Checks[0].Allowed = []string{"usb0 *"} }, "the check does not name it any more"},
	} {
		story(t, policy.ModeEnforce, func(w *wires) {
			w.after(0)
			w.said = nil
			c.change(w)
			w.after(0)
			if w.down || w.said[0] != "adapter_on usb0 allowed "+c.note {
				t.Errorf("%s: down %t, %q", what, w.down, w.said)
			}
			if line := (policy.Acted{Check: "network.tether", Fact: policy.FactTethers, Word: phoneCard.Word}); !slices.Contains(w.acts, line) {
				t.Errorf("%s: the check passes before the adapter was looked at: %+v", what, w.acts)
			}
			w.after(comesBack)
			if slices.ContainsFunc(w.acts, func(a policy.Acted) bool { return a.Word != "" }) {
				t.Errorf("%s: the line stays: %+v", what, w.acts)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWires(t, policy.ModeEnforce)
		w.begin()
		w.after(0)
		w.said = nil
		w.stop()
		if w.down || len(w.said) != 1 || w.said[0] != "adapter_on usb0 allowed the agent ended" {
			t.Errorf("the agent ended: down %t, %q", w.down, w.said)
		}
	})
}

func TestWhatADeadAgentDisabledComesBackFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires(t, policy.ModeEnforce)
		w.down, w.noted, w.deaf = true, true, true
		w.begin()
		w.expect("begun", false, "", "adapter_on usb0 allowed the agent began anew")
		w.stop()
	})
}

func TestWhereItIsNotClearNothingIsDoneAndThatIsSaid(t *testing.T) {
	for reason, change := range map[string]func(*wires){
		policy.UnclearConsole: func(w *wires) { w.deaf = true },
		policy.UnclearWays:    func(w *wires) { w.strange = true },
		policy.UnclearLook:    func(w *wires) { w.blind = errors.New("cannot ask") },
	} {
		story(t, policy.ModeEnforce, func(w *wires) {
			change(w)
			w.after(50 * time.Second)
			w.expect(reason+" for a while", false, "")
			w.after(5 * time.Minute)
			w.expect(reason, false, policy.OutcomeDetected, "adapter_off  detected nothing was disabled, because it is not clear which adapter is the office's: "+reason)
			if w.acts[0].Act.Code != reason {
				t.Errorf("%+v", w.acts)
			}
		})
	}
}

// TestAnAdapterIsNotHeldForLongWithoutTheConsole: who carries a laptop home must not be left without a network.
func TestAnAdapterIsNotHeldForLongWithoutTheConsole(t *testing.T) {
	story(t, policy.ModeEnforce, func(w *wires) {
		w.after(0)
		w.said, w.deaf = nil, true
		w.after(10 * time.Second)
		w.expect("for a moment", true, policy.OutcomeBlocked)
		w.deaf = false
		w.after(10 * time.Second)
		w.deaf = true
		w.after(20 * time.Second)
		w.expect("for another", true, policy.OutcomeBlocked)
		w.after(20 * time.Second)
		w.expect("for long", false, "", "adapter_on usb0 allowed it is not clear any more: console")
		w.deaf = false
		w.after(0)
		w.expect("heard again", true, policy.OutcomeBlocked, "adapter_off usb0 blocked")
	})
}

func TestWhoEnablesItAgainIsAnsweredWithinBounds(t *testing.T) {
	story(t, policy.ModeEnforce, func(w *wires) {
		w.after(0)
		w.said = nil
		for range redoneMost {
			w.down = false
			w.after(0)
			w.expect("enabled", true, policy.OutcomeBlocked)
		}
		w.down = false
		w.after(time.Minute)
		w.expect("once more", false, policy.OutcomeBlockFailed, "adapter_off usb0 block_failed something enables it again and again")
		w.after(redonePer)
		w.expect("later", true, policy.OutcomeBlocked, "adapter_off usb0 blocked")
	})
}

func TestOneThatDoesNotGoDownIsNeverCalledBlocked(t *testing.T) {
	story(t, policy.ModeEnforce, func(w *wires) {
		w.stubborn = true
		w.after(20 * time.Minute)
		w.expect("stubborn", false, policy.OutcomeBlockFailed, "adapter_off usb0 block_failed")
		if w.acts[0].Word != "" {
			t.Errorf("%+v", w.acts)
		}
		w.down = true
		w.stubborn = false
		w.after(0)
		w.expect("it went after all", true, policy.OutcomeBlocked, "adapter_off usb0 blocked")
	})
}

// TestItIsTriedFromTimeToTimeWhetherTheOtherEndIsStillThere: a card that is disabled sees no cable.
func TestItIsTriedFromTimeToTimeWhetherTheOtherEndIsStillThere(t *testing.T) {
	story(t, policy.ModeEnforce, func(w *wires) {
		w.after(triedEvery + time.Minute)
		w.expect("it is still there", true, policy.OutcomeBlocked, "adapter_off usb0 blocked")
		w.tethers = false
		w.after(triedEvery + time.Minute)
		w.expect("it ended", false, "", "adapter_on usb0 allowed nothing is at its other end any more")
	})
}
