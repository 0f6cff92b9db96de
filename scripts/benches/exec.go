//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sekisho/internal/policy"
)

// Programs that are run once each in every turn, and how often one is run again and again, after the first few.
const (
	execRounds    = 8
	countedRounds = 3 // they hardly differ
	coldPrograms  = 60
	warmUp        = 10
	warmRuns      = 60
	manyPackages  = 6000
)

// coldPackage installs copies of a small program: each one's first run is cold, with its content in memory already.
var coldPackage = fmt.Sprintf(`set -e; d=/root/cold; mkdir -p $d/DEBIAN $d/usr/lib/cold
printf 'Package: cold\nVersion: 1\nArchitecture: amd64\nMaintainer: Lab <lab@example.org>\nDescription: for a benchmark\n' >$d/DEBIAN/control
for i in $(seq %d); do cp /usr/bin/true $d/usr/lib/cold/p$i; done
dpkg-deb -Zgzip --root-owner-group --build $d /root/cold.deb >/dev/null; dpkg -i /root/cold.deb >/dev/null 2>&1; rm -r $d`, coldPrograms)

// loneProgram belongs to no package; root has put it where only root can. It is permitted by its path.
const loneProgram = "/opt/lone/tool"

const loneMade = "mkdir -p /opt/lone && cp /usr/bin/true " + loneProgram + " && echo lone >>" + loneProgram

// packageCrowd writes a package database as a developer's terminal has it: 6,000 packages of 40 files. Nothing of it is
// installed: what is measured is the memory that knowing them takes.
var packageCrowd = fmt.Sprintf(`import os
with open('/var/lib/dpkg/status', 'a') as s:
    for n in range(%d):
        s.write('Package: crowd%%d\nStatus: install ok installed\nPriority: optional\nMaintainer: Somebody <somebody@example.org>\nArchitecture: amd64\nVersion: 1:%%d.2.3-4+deb12u1\nDepends: libc6 (>= 2.34)\nDescription: one of many\n\n' %% (n, n))
        with open('/var/lib/dpkg/info/crowd%%d.list' %% n, 'w') as l:
            l.write('/.\n/usr\n/usr/lib\n/usr/lib/crowd%%d\n' %% n + ''.join('/usr/lib/crowd%%d/part%%d.so\n' %% (n, i) for i in range(40)))
`, manyPackages)

// execFigures: what standing before programs adds to the start of one that is permitted, by both clocks.
func execFigures(ctx context.Context, b bench) error {
	if b.clock != "" {
		return execBy(ctx, b)
	}
	for _, b.clock = range []string{clockWall, clockInstructions} {
		if err := execBy(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// execBy lets all take turns in one machine; what each adds is counted against nobody right before and after it.
func execBy(ctx context.Context, b bench) error {
	l, err := openClocked(ctx, b)
	if err != nil {
		return err
	}
	defer l.close()
	if _, err := l.m.Run(ctx, coldPackage+"\n"+loneMade); err != nil {
		return err
	}
	if err := l.fapolicyd(ctx); err != nil {
		return err
	}
	peerResident, err := l.resident(ctx, "fapolicyd")
	if err != nil {
		return err
	}
	if _, err := l.m.Run(ctx, "systemctl stop fapolicyd"); err != nil {
		return err
	}
	if err := l.gateOnly(ctx); err != nil {
		return err
	}
	if err := l.execRounds(ctx); err != nil {
		return err
	}
	if l.clock == clockInstructions { // memory is the same by every clock
		return nil
	}
	resident, err := l.crowded(ctx)
	if err != nil {
		return err
	}
	b.against("exec_resident_6000", resident, "MB", "fapolicyd", peerResident)
	return nil
}

func (l *lab) execRounds(ctx context.Context) error {
	turns := turnsOf(or(l.rounds, map[string]int{clockWall: execRounds, clockInstructions: countedRounds}[l.clock]))
	var warm, lone, cold []float64
	for i, who := range turns {
		if err := l.stands(ctx, who); err != nil {
			return err
		}
		s, err := l.started(ctx)
		if err != nil {
			return err
		}
		warm, lone, cold = append(warm, l.unit(s.warm)), append(lone, l.unit(s.lone)), append(cold, l.unit(s.cold))
		l.say("turn %d of %d, %s in the way: %.2f ms warm, %.2f ms of no package, %.2f ms cold by the machine's clock", i+1, len(turns), who, ms(s.warm), ms(s.lone), ms(s.cold))
	}
	name, unit := "exec_added", "ms"
	if l.clock == clockInstructions {
		name, unit = "exec_instructions", "instructions"
	}
	l.spreadAgainst(name, unit, added(turns, warm, ours), "fapolicyd", added(turns, warm, theirs))
	l.spreadAgainst(name+"_lone", unit, added(turns, lone, ours), "fapolicyd", added(turns, lone, theirs))
	l.spreadAgainst(name+"_cold", unit, added(turns, cold, ours), "fapolicyd", added(turns, cold, theirs))
	return nil
}

// unit is a time of the machine in what is printed: milliseconds, or instructions, one a nanosecond.
func (l *lab) unit(d time.Duration) float64 {
	if l.clock == clockInstructions {
		return float64(d.Nanoseconds())
	}
	return ms(d)
}

// stands puts one in the way of programs and nobody else, and waits until the machine is at rest again. Who does not stand
// there does not run.
func (l *lab) stands(ctx context.Context, who inWay) error {
	command, stopped := "systemctl stop sekisho-agent fapolicyd", "! "
	switch who {
	case ours:
		command += "; systemctl start sekisho-agent"
	case theirs:
		command += "; systemctl start fapolicyd"
	default:
		stopped = ""
	}
	if _, err := l.m.Run(ctx, command); err != nil {
		return err
	}
	probe := "cp -f /root/guest /var/tmp/probe; " + stopped + "su taro -c '/var/tmp/probe reached' >/dev/null 2>&1"
	if err := l.await(ctx, string(who)+" before programs", 3*time.Minute, probe); err != nil {
		return err
	}
	_, err := l.m.Run(ctx, "/root/guest rest")
	return err
}

// undisturbed is what nine of ten starts take at least: the others are those that no neighbour of the machine interrupted.
// It spares whoever asks somebody else at every start more than who does not.
const undisturbed = 0.1

// starts are by the machine's clock.
type starts struct{ warm, lone, cold time.Duration }

func (l *lab) started(ctx context.Context) (s starts, err error) {
	for _, one := range []struct {
		into     *time.Duration
		first    int // that do not count
		times    int
		programs string
	}{
		{&s.warm, warmUp, warmRuns, "/usr/bin/true"},
		{&s.lone, warmUp, warmRuns, loneProgram},
		{&s.cold, 0, 1, "/usr/lib/cold/p*"},
	} {
		all, err := l.execs(ctx, one.first+one.times, one.programs)
		if err != nil {
			return s, err
		}
		*one.into = quantile(all[min(one.first, len(all)):], undisturbed)
	}
	return s, nil
}

// execs starts programs in the machine and gives how long each took from the call to its end.
func (l *lab) execs(ctx context.Context, times int, programs string) ([]time.Duration, error) {
	out, err := l.m.Run(ctx, fmt.Sprintf("/root/guest execs %d %s", times, programs))
	if err != nil {
		return nil, err
	}
	var took struct{ Took []time.Duration }
	if err := json.Unmarshal([]byte(out), &took); err != nil {
		return nil, fmt.Errorf("cannot read what the starts took: %w", err)
	}
	return took.Took, nil
}

// crowded gives the agent's memory when it knows 6,000 packages.
func (l *lab) crowded(ctx context.Context) (float64, error) {
	if _, err := l.m.Run(ctx, "systemctl stop sekisho-agent; cp -a /var/lib/dpkg /root/dpkg; python3 - <<'P'\n"+packageCrowd+"P\nsystemctl start sekisho-agent"); err != nil {
		return 0, err
	}
	if err := l.await(ctx, "the gate with many packages", time.Minute, fmt.Sprintf("journalctl -u sekisho-agent -o cat | grep -q '\"packages\":%d'", manyPackages/1000)); err != nil {
		return 0, err
	}
	if err := pause(ctx, 15*time.Second); err != nil { // until it has given back what only the start needed
		return 0, err
	}
	mb, err := l.resident(ctx, "sekisho-agent")
	if err != nil {
		return 0, err
	}
	_, err = l.m.Run(ctx, "rm -r /var/lib/dpkg; mv /root/dpkg /var/lib/dpkg; systemctl restart sekisho-agent")
	return mb, err
}

// resident is a service's resident memory in MB.
func (l *lab) resident(ctx context.Context, unit string) (float64, error) {
	out, err := l.m.Run(ctx, "awk '/^Rss/ { print $2 }' /proc/$(systemctl show -p MainPID --value "+unit+")/smaps_rollup")
	if err != nil {
		return 0, err
	}
	var kib float64
	if _, err := fmt.Sscan(out, &kib); err != nil {
		return 0, fmt.Errorf("cannot read how much memory %s takes: %w", unit, err)
	}
	return kib / 1024, nil
}

// mayRun lets the benchmark's own helper run, and a program of no package.
func mayRun(s *policy.Software) {
	s.Rules = slices.Insert(s.Rules, 0, policy.ProgramRule{ID: "bench", Name: policy.Text{JA: "計測", EN: "benchmark"}, Action: policy.ActionAllow,
		Match: policy.ProgramMatch{Path: []string{"/root/guest", loneProgram}}})
}
