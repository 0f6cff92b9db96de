//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"sekisho/agent/sensor/health"
	"sekisho/internal/policy"
)

const checkRounds = 20

// checksFigures looks at this machine as an agent does, every area, judges, and says what that costs: the first round, in
// which nothing is remembered, and the usual one.
func checksFigures(ctx context.Context, b bench) error {
	p := policy.Builtin(policy.ModeAudit)
	p.Health = policy.DefaultHealth()
	eyes := map[string]*health.Eyes{}
	for _, area := range health.Areas() {
		eyes[area] = health.New(health.Options{Root: "/", Now: time.Now})
	}
	b.say("%d checks, %d rounds on this machine", len(p.Health.Checks), checkRounds)
	debug.FreeOSMemory()
	before := taken()
	first, results := checkRound(ctx, p, eyes)
	most, sum := taken()-before, time.Duration(0)
	for range checkRounds {
		used, _ := checkRound(ctx, p, eyes)
		sum += used
		most = max(most, taken()-before)
	}
	debug.FreeOSMemory()
	b.figure("check_round_first", first.Seconds()*1000, "ms-cpu")
	b.figure("check_round", (sum/checkRounds).Seconds()*1000, "ms-cpu")
	b.figure("check_memory", most, "MB")
	b.figure("check_memory_after", max(taken()-before, 0), "MB")
	raw, err := json.Marshal(results)
	if err != nil {
		return err
	}
	b.figure("check_sheet", float64(len(raw)), "bytes")
	if err := unchanged(results, p, eyes, ctx); err != nil {
		return err
	}
	return childFigures(ctx, b)
}

// unchanged: what comes to the same is the same, byte for byte, and costs nothing on the wire.
func unchanged(before []policy.CheckResult, p *policy.Policy, eyes map[string]*health.Eyes, ctx context.Context) error {
	_, now := lookRound(ctx, p, eyes, before)
	a, _ := json.Marshal(before)
	b, _ := json.Marshal(now)
	if string(a) != string(b) {
		return fmt.Errorf("a second round said something else:\n%s\n%s", a, b)
	}
	return nil
}

func checkRound(ctx context.Context, p *policy.Policy, eyes map[string]*health.Eyes) (time.Duration, []policy.CheckResult) {
	begin := processor()
	_, results := lookRound(ctx, p, eyes, nil)
	return processor() - begin, results
}

func lookRound(ctx context.Context, p *policy.Policy, eyes map[string]*health.Eyes, before []policy.CheckResult) (*policy.Survey, []policy.CheckResult) {
	s := &policy.Survey{OS: "linux", Up: 24 * time.Hour}
	for area, e := range eyes {
		s.Readings = append(s.Readings, e.Look(ctx, area, p.Health.Probes)...)
	}
	return s, policy.Judge(p, s, before, time.Now())
}

// processor is the time that this process and the programs it ran have used.
func processor() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if syscall.Getrusage(who, &r) == nil {
			sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	return sum
}

// taken is what the runtime holds of the system's memory and has not given back, in MB.
func taken() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys-m.HeapReleased) / 1e6
}
