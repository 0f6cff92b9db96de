//go:build linux

package main

import (
	"bytes"
	"context"
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

const upgraded = 300 // packages

// upgradeFigures: a system upgrade with the gate enforcing, and without anybody in the way: what is refused although it is
// permitted, and how much longer it takes.
func upgradeFigures(ctx context.Context, b bench) error {
	l, err := openLab(ctx, b)
	if err != nil {
		return err
	}
	defer l.close()
	key, err := debs.NewKey()
	if err != nil {
		return err
	}
	var took, worked []time.Duration
	do := func(version int, action string) error {
		if err := l.offer(ctx, key, version); err != nil {
			return err
		}
		before := l.worked()
		d, err := l.long(ctx, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y "+action, 20*time.Minute)
		if err != nil {
			return fmt.Errorf("apt-get %s: %w", action, err)
		}
		took, worked = append(took, d), append(worked, l.worked()-before)
		l.say("version %d: %v, %v of processors", version, d.Round(100*time.Millisecond), worked[len(worked)-1])
		return nil
	}
	if err := do(1, "install $(seq -f 'crowd%g' "+fmt.Sprint(upgraded)+")"); err != nil {
		return err
	}
	if err := do(2, "upgrade"); err != nil {
		return err
	}
	if err := l.gateOnly(ctx); err != nil {
		return err
	}
	asked, err := l.questions(ctx, func() error { return do(3, "upgrade") })
	if err != nil {
		return err
	}
	denials, err := l.denials(ctx)
	if err != nil {
		return err
	}
	if _, err := l.m.Run(ctx, "systemctl stop sekisho-agent; rm -f /etc/dpkg/dpkg.cfg.d/sekisho /etc/apt/apt.conf.d/00sekisho"); err != nil {
		return err
	}
	if err := do(4, "upgrade"); err != nil {
		return err
	}
	out, err := l.m.Run(ctx, "dpkg-query -W -f '${Version}\n' 'crowd*' | sort | uniq -c")
	if err != nil {
		return err
	}
	l.say("installed at the end: %s", out)
	b.figure("upgrade_packages", upgraded, "packages")
	b.figure("upgrade_false_denials", float64(denials), "denials")
	b.figure("upgrade_questions", float64(asked.others)/upgraded, "a package")
	b.figure("upgrade_own_questions", float64(asked.own)/upgraded, "a package")
	b.figure("upgrade_agent_work", asked.work.Seconds()*1000/upgraded, "ms a package")
	b.figure("upgrade_slower", more(took), "%")
	b.figure("upgrade_more_work", more(worked), "%")
	return nil
}

// more is by how many percent the third is more than the mean of the second and the fourth.
func more(d []time.Duration) float64 { return 100 * (2*float64(d[2])/float64(d[1]+d[3]) - 1) }

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
func (l *lab) long(ctx context.Context, command string, limit time.Duration) (time.Duration, error) {
	if _, err := l.m.Run(ctx, "rm -f /root/long.*"); err != nil {
		return 0, err
	}
	_, err := l.m.Background(ctx, "date +%s%N >/root/long.begin; "+command+" >/root/long.log 2>&1; echo $? >/root/long.rc; date +%s%N >/root/long.end", "/dev/null")
	if err != nil {
		return 0, err
	}
	if err := l.await(ctx, "the end of a long command", limit, "test -s /root/long.end"); err != nil {
		return 0, err
	}
	out, err := l.m.Run(ctx, "test $(cat /root/long.rc) = 0 || { tail -n 20 /root/long.log >&2; exit 1; }; cat /root/long.begin /root/long.end")
	if err != nil {
		return 0, err
	}
	var begin, end int64
	if _, err := fmt.Sscan(out, &begin, &end); err != nil {
		return 0, fmt.Errorf("cannot read how long it took: %w", err)
	}
	return time.Duration(end - begin), nil
}

// offer brings a version of every package into the machine's repository.
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
	_, err = l.m.Run(ctx, `rm -rf /srv/r; mkdir -p /srv/r && tar -C /srv/r --no-same-owner -xf /root/r.tar && chmod -R a+rX /srv/r && cp /srv/r/lab.gpg /etc/apt/trusted.gpg.d/lab.gpg
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
