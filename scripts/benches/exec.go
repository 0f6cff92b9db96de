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

// Programs that are run once each, and how often one is run again and again.
const (
	coldPrograms = 150
	warmRuns     = 300
	manyPackages = 6000
)

// coldPackage installs copies of a small program: each one's first run is cold, with its content in memory already.
var coldPackage = fmt.Sprintf(`set -e; d=/root/cold; mkdir -p $d/DEBIAN $d/usr/lib/cold
printf 'Package: cold\nVersion: 1\nArchitecture: amd64\nMaintainer: Lab <lab@example.org>\nDescription: for a benchmark\n' >$d/DEBIAN/control
for i in $(seq %d); do cp /usr/bin/true $d/usr/lib/cold/p$i; done
dpkg-deb -Zgzip --root-owner-group --build $d /root/cold.deb >/dev/null; dpkg -i /root/cold.deb >/dev/null 2>&1; rm -r $d`, coldPrograms)

// packageCrowd writes a package database as a developer's terminal has it: 6,000 packages of 40 files. Nothing of it is
// installed: what is measured is the memory that knowing them takes.
var packageCrowd = fmt.Sprintf(`import os
with open('/var/lib/dpkg/status', 'a') as s:
    for n in range(%d):
        s.write('Package: crowd%%d\nStatus: install ok installed\nPriority: optional\nMaintainer: Somebody <somebody@example.org>\nArchitecture: amd64\nVersion: 1:%%d.2.3-4+deb12u1\nDepends: libc6 (>= 2.34)\nDescription: one of many\n\n' %% (n, n))
        with open('/var/lib/dpkg/info/crowd%%d.list' %% n, 'w') as l:
            l.write('/.\n/usr\n/usr/lib\n/usr/lib/crowd%%d\n' %% n + ''.join('/usr/lib/crowd%%d/part%%d.so\n' %% (n, i) for i in range(40)))
`, manyPackages)

// execFigures: what standing before programs adds to the start of one that is permitted.
func execFigures(ctx context.Context, b bench) error {
	l, err := openLab(ctx, b)
	if err != nil {
		return err
	}
	defer l.close()
	if _, err := l.m.Run(ctx, coldPackage); err != nil {
		return err
	}
	if _, err := l.execs(ctx, 1, true); err != nil { // brings every program into memory
		return err
	}
	free, err := l.started(ctx)
	if err != nil {
		return err
	}
	if err := l.gateOnly(ctx); err != nil {
		return err
	}
	ours, err := l.started(ctx)
	if err != nil {
		return err
	}
	resident, err := l.crowded(ctx)
	if err != nil {
		return err
	}
	if _, err := l.m.Run(ctx, "systemctl stop sekisho-agent; rm -f /etc/dpkg/dpkg.cfg.d/sekisho"); err != nil {
		return err
	}
	if err := l.fapolicyd(ctx); err != nil {
		return err
	}
	theirs, err := l.started(ctx)
	if err != nil {
		return err
	}
	peerResident, err := l.resident(ctx, "fapolicyd")
	if err != nil {
		return err
	}
	b.say("one start: %.2f ms cold, %.2f ms warm with nobody in the way", free.cold, free.warm)
	b.against("exec_added", ours.warm-free.warm, "ms", "fapolicyd", theirs.warm-free.warm)
	b.against("exec_added_cold", ours.cold-free.cold, "ms", "fapolicyd", theirs.cold-free.cold)
	b.against("exec_resident_6000", resident, "MB", "fapolicyd", peerResident)
	return nil
}

// starts are medians in milliseconds.
type starts struct{ cold, warm float64 }

func (l *lab) started(ctx context.Context) (s starts, err error) {
	if err := pause(ctx, 3*time.Second); err != nil {
		return s, err
	}
	cold, err := l.execs(ctx, 1, true)
	if err != nil {
		return s, err
	}
	warm, err := l.execs(ctx, warmRuns, false)
	if err != nil {
		return s, err
	}
	s = starts{ms(quantile(cold, 0.5)), ms(quantile(warm, 0.5))}
	l.say("cold: median %.2f, p95 %.2f; warm: median %.2f, p95 %.2f ms", s.cold, ms(quantile(cold, 0.95)), s.warm, ms(quantile(warm, 0.95)))
	return s, nil
}

// execs starts programs in the machine and gives how long each took from the call to its end.
func (l *lab) execs(ctx context.Context, times int, cold bool) ([]time.Duration, error) {
	programs := "/usr/bin/true"
	if cold {
		programs = "/usr/lib/cold/p*"
	}
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

// mayRun lets the benchmark's own helper run.
func mayRun(s *policy.Software) {
	s.Rules = slices.Insert(s.Rules, 0, policy.ProgramRule{ID: "bench", Name: policy.Text{JA: "計測", EN: "benchmark"}, Action: policy.ActionAllow,
		Match: policy.ProgramMatch{Path: []string{"/root/guest"}}})
}
