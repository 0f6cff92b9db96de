//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/debs"
)

// All packages are upgraded by one apt-get, from one version to the next, by turns with us in the way and with nobody.
const (
	upgraded = 300 // packages
	pairs    = 2   // of turns
)

// upgradeFigures: a system upgrade with the gate enforcing, and without anybody in the way: what is refused although it is
// permitted, and how much longer it takes.
func upgradeFigures(ctx context.Context, b bench) error {
	l, err := openClocked(ctx, b)
	if err != nil {
		return err
	}
	defer l.close()
	key, err := debs.NewKey()
	if err != nil {
		return err
	}
	if err := l.offer(ctx, key, 1); err != nil {
		return err
	}
	if _, err := l.apt(ctx, "install"); err != nil {
		return err
	}
	if err := l.gateOnly(ctx); err != nil {
		return err
	}
	turns := pairTurns(or(b.rounds, pairs))
	var spent []spending
	for i, who := range turns {
		if err := l.upgradeReady(ctx, who, key, 2+i); err != nil {
			return err
		}
		s, err := l.apt(ctx, upgrading)
		if err != nil {
			return err
		}
		spent = append(spent, s)
		l.say("turn %d of %d, %s in the way: %v, %v of the emulator's processors, %v at work by the machine's clock", i+1, len(turns), who,
			s.took.Round(100*time.Millisecond), s.emulator, s.busy)
	}
	if err := l.upgradeReady(ctx, ours, key, 2+len(turns)); err != nil {
		return err
	}
	a, err := l.questions(ctx, func() error { _, err := l.apt(ctx, upgrading); return err }) // counting takes time: this turn is not measured
	if err != nil {
		return err
	}
	return l.upgradeSpent(ctx, turns, spent, a)
}

const upgrading = "install --only-upgrade"

// upgradeReady offers the next version, and puts one in the way.
func (l *lab) upgradeReady(ctx context.Context, who inWay, key *debs.Key, version int) error {
	if err := l.upgradeStands(ctx, nobody); err != nil {
		return err
	}
	if err := l.offer(ctx, key, version); err != nil {
		return err
	}
	return l.upgradeStands(ctx, who)
}

// upgradeSpent says what came of it.
func (l *lab) upgradeSpent(ctx context.Context, turns []inWay, spent []spending, a asked) error {
	if err := l.upgradeStands(ctx, ours); err != nil { // until every record is sent
		return err
	}
	denials, err := l.denials(ctx)
	if err != nil {
		return err
	}
	out, err := l.m.Run(ctx, "dpkg-query -W -f '${Version}\n' 'crowd*' | sort | uniq -c")
	if err != nil {
		return err
	}
	l.say("installed at the end: %s", out)
	l.figure("upgrade_packages", upgraded, "packages")
	l.figure("upgrade_false_denials", float64(denials), "denials")
	l.figure("upgrade_questions", float64(a.others)/upgraded, "a package")
	l.figure("upgrade_own_questions", float64(a.own)/upgraded, "a package")
	l.figure("upgrade_agent_work", a.work.Seconds()*1000/upgraded, "ms a package")
	each := func(of func(spending) time.Duration) []float64 {
		var all []float64
		for _, s := range spent {
			all = append(all, of(s).Seconds())
		}
		return more(turns, all)
	}
	if l.clock == clockInstructions {
		l.spread("upgrade_more_instructions", "%", each(func(s spending) time.Duration { return s.busy }))
		return nil
	}
	l.spread("upgrade_slower", "%", each(func(s spending) time.Duration { return s.took }))
	l.spread("upgrade_more_work", "%", each(func(s spending) time.Duration { return s.emulator }))
	return nil
}

// upgradeStands also takes what the agent has put into apt and dpkg away with it.
func (l *lab) upgradeStands(ctx context.Context, who inWay) error {
	from, to := "", "/root/aside"
	if who == ours {
		from, to = "/root/aside", ""
	}
	move := fmt.Sprintf("mkdir -p /root/aside/etc/apt/apt.conf.d /root/aside/etc/dpkg/dpkg.cfg.d\n"+
		"for f in /etc/apt/apt.conf.d/00sekisho /etc/dpkg/dpkg.cfg.d/sekisho; do [ ! -e %[1]s$f ] || mv %[1]s$f %[2]s$f; done", from, to)
	if _, err := l.m.Run(ctx, move); err != nil {
		return err
	}
	return l.stands(ctx, who)
}

// spending is what one batch took.
type spending struct {
	took     time.Duration // by the machine's clock
	busy     time.Duration // of it, the machine's processors had something to do
	emulator time.Duration // what this machine's processors worked for that one
}

// apt does something with some of the packages.
func (l *lab) apt(ctx context.Context, action string) (spending, error) {
	before := l.worked()
	s, err := l.long(ctx, fmt.Sprintf("DEBIAN_FRONTEND=noninteractive apt-get -qq -y %s $(seq -f 'crowd%%g' %d)", action, upgraded), 20*time.Minute)
	if err != nil {
		return s, fmt.Errorf("apt-get %s: %w", action, err)
	}
	s.emulator = l.worked() - before
	return s, nil
}

// worked is how long processors have worked for the machine since it was started: what many neighbours change less than
// the time that something takes.
func (l *lab) worked() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.m.PID)) // a machine that is gone is noticed by others
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // proc_pid_stat(5): clock ticks, 100 a second
}

// long runs what takes minutes on an emulated processor, and says how long it took by the machine's own clock.
func (l *lab) long(ctx context.Context, command string, limit time.Duration) (s spending, err error) {
	if _, err := l.m.Run(ctx, "rm -f /root/long.*"); err != nil {
		return s, err
	}
	const now = "{ date +%s%N; head -n 1 /proc/stat; }"
	pid, err := l.m.Background(ctx, now+" >/root/long.begin; "+command+" >/root/long.log 2>&1; echo $? >/root/long.rc; "+now+" >/root/long.end", "/dev/null")
	if err != nil {
		return s, err
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// One program waits in the machine: to ask again and again from outside would be measured as well.
	if _, err := l.m.Run(bounded, "tail -s 0.5 -f --pid="+pid+" /dev/null"); err != nil {
		return s, fmt.Errorf("cannot wait for the end of a long command: %w", err)
	}
	out, err := l.m.Run(ctx, "test $(cat /root/long.rc) = 0 || { tail -n 20 /root/long.log >&2; exit 1; }; cat /root/long.begin /root/long.end")
	if err != nil {
		return s, err
	}
	return parseSpending(out)
}

// parseSpending reads a time in nanoseconds and the first line of /proc/stat, before and after. How long a processor did
// nothing the kernel measures; what it did it only samples (proc_stat(5)).
func parseSpending(text string) (s spending, err error) {
	var at, idle, waited [2]int64
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 4 {
		return s, fmt.Errorf("cannot read how long it took: %q", text)
	}
	for i := range 2 {
		var skip int64
		_, err1 := fmt.Sscan(lines[2*i], &at[i])
		_, err2 := fmt.Sscanf(lines[2*i+1], "cpu %d %d %d %d %d", &skip, &skip, &skip, &idle[i], &waited[i])
		if err := errors.Join(err1, err2); err != nil {
			return s, fmt.Errorf("cannot read how long it took: %w", err)
		}
	}
	s.took = time.Duration(at[1] - at[0])
	s.busy = s.took - time.Duration(idle[1]-idle[0]+waited[1]-waited[0])*10*time.Millisecond
	return s, nil
}

// offer brings a version of so many packages into the machine's repository.
func (l *lab) offer(ctx context.Context, key *debs.Key, version int) error {
	dir, err := os.MkdirTemp("", "sekisho-repository-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var all []debs.Package
	for i := range upgraded {
		name := fmt.Sprintf("crowd%d", i+1)
		all = append(all, debs.Package{Name: name, Version: fmt.Sprintf("%d.0", version), Files: map[string]string{
			"/usr/bin/" + name:                  fmt.Sprintf("#!/bin/sh\n# %d\nexit 0\n", version),
			"/usr/lib/" + name + "/data":        fmt.Sprint(version),
			"/usr/share/doc/" + name + "/notes": "nothing\n",
		}, Scripts: map[string]string{"postinst": "#!/bin/sh\nset -e\n/usr/bin/" + name + "\n"}})
	}
	if err := debs.Repository(filepath.Join(dir, "r"), key, all...); err != nil {
		return err
	}
	public, err := key.Public()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "r", "lab.gpg"), public, 0o644); err != nil {
		return err
	}
	tar := filepath.Join(dir, "r.tar")
	if out, err := exec.CommandContext(ctx, "tar", "-C", filepath.Join(dir, "r"), "-cf", tar, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("cannot pack the repository: %w: %s", err, out)
	}
	if err := l.m.Put(ctx, tar, "/root/r.tar"); err != nil {
		return err
	}
	if err := l.m.SetClock(ctx, time.Now()); err != nil { // one that counts instructions is late, and apt takes no list of tomorrow
		return err
	}
	_, err = l.m.Run(ctx, `rm -rf /srv/r; mkdir -p /srv/r && tar -C /srv/r --no-same-owner --touch -xf /root/r.tar && chmod -R a+rX /srv/r && cp /srv/r/lab.gpg /etc/apt/trusted.gpg.d/lab.gpg
rm -rf /etc/apt/sources.list.d/*; echo 'deb file:/srv/r ./' >/etc/apt/sources.list; apt-get -qq update`)
	return err
}

// denials counts what the gate stopped; nothing of an upgrade from a permitted repository should be.
func (l *lab) denials(ctx context.Context) (n int, err error) {
	if err := pause(ctx, 5*time.Second); err != nil { // until the records are there
		return 0, err
	}
	db, err := store.Open(ctx, l.c.database(), time.UTC)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	rows, err := db.Events(ctx, store.EventFilter{Limit: 500})
	for _, r := range rows {
		if p := r.Record.Software; p != nil && r.Record.Outcome == policy.OutcomeBlocked && p.Program.Path != "/var/tmp/probe" {
			l.say("stopped: %s %s by %s", p.What, p.Program.ID, r.Record.Decision.Rule)
			n++
		}
	}
	return n, err
}
