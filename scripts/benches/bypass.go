//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// bypassTable is where the outcome is written.
const bypassTable = "docs/bypasses.md"

// bypassFigures tries to get past the gate before programs, ours and fapolicyd's, and writes the table of what came of it.
func bypassFigures(ctx context.Context, b bench) error {
	l, err := openLab(ctx, b)
	if err != nil {
		return err
	}
	defer l.close()
	if _, err := l.m.Run(ctx, props); err != nil {
		return err
	}
	for _, a := range attempts {
		if a.prepare == "" {
			continue
		}
		if _, err := l.m.Run(ctx, a.prepare); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	b.say("control: nobody stands in the way")
	free := l.tryAll(ctx)
	if err := l.gateOnly(ctx); err != nil {
		return err
	}
	b.say("Sekisho stands in the way")
	ours := l.tryAll(ctx)
	if _, err := l.m.Run(ctx, "systemctl stop sekisho-agent"); err != nil {
		return err
	}
	if err := l.fapolicyd(ctx); err != nil {
		return err
	}
	b.say("fapolicyd stands in the way")
	theirs := l.tryAll(ctx)
	return l.writeBypasses(free, ours, theirs)
}

// tryAll says of every attempt whether it came to anything.
func (l *lab) tryAll(ctx context.Context) []bool {
	got := make([]bool, len(attempts))
	for i, a := range attempts {
		command := a.try
		if a.as != "root" {
			command = "su - taro -c '" + strings.ReplaceAll(a.try, "'", `'\''`) + "'"
		}
		out, _ := l.m.Run(ctx, "timeout 30 sh -c '"+strings.ReplaceAll(command, "'", `'\''`)+"' </dev/null 2>&1; true") // most must fail
		got[i] = strings.Contains(out, "REACHED")
		l.say("%-55s %v", a.name, map[bool]string{true: "RAN", false: "stopped"}[got[i]])
	}
	return got
}

// softwareLab is the policy that the gate is measured with: what is installed is permitted, by name as learning proposes it.
func (l *lab) softwareLab(ctx context.Context, mode policy.Mode) error {
	names, err := l.m.Run(ctx, "dpkg-query -W -f '${Package}\n' | sort -u")
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, l.c.database(), time.UTC)
	if err != nil {
		return err
	}
	defer db.Close()
	have, err := db.GroupPolicy(ctx, "default", 0)
	if err != nil {
		return err
	}
	have.Reason, have.By = "bench", "bench"
	have.Software = &policy.Software{Mode: mode, Undecided: policy.ActionBlock, Stall: policy.ActionAllow, Rules: []policy.ProgramRule{
		{ID: "repository", Name: policy.Text{JA: "配布元", EN: "repository"}, Action: policy.ActionAllow,
			Match: policy.ProgramMatch{Source: []string{policy.SourceRepository}}},
	}}
	for some := range slices.Chunk(strings.Fields(names), 100) { // a rule has room for two hundred
		have.Software.Rules = append(have.Software.Rules, policy.ProgramRule{
			ID: fmt.Sprintf("learnt-%d", len(have.Software.Rules)), Name: policy.Text{JA: "学習した", EN: "learnt"}, Action: policy.ActionAllow,
			Match: policy.ProgramMatch{Kind: []policy.ProgramKind{policy.ProgramDeb}, Name: some}})
	}
	mayRun(have.Software)
	_, err = db.PutGroupPolicy(ctx, have, have.Version, time.Now())
	return err
}

// gateOnly installs the agent, and waits until it stands before programs.
func (l *lab) gateOnly(ctx context.Context) error {
	if err := l.openConsole(ctx); err != nil {
		return err
	}
	if err := l.softwareLab(ctx, policy.ModeEnforce); err != nil {
		return err
	}
	if err := l.install(ctx); err != nil {
		return err
	}
	return l.await(ctx, "the gate before programs", 3*time.Minute, "cp -f /root/guest /var/tmp/probe; ! /var/tmp/probe reached >/dev/null 2>&1")
}

// peerTrust makes fapolicyd trust what dpkg installed, file by file, as its own back end for dpkg would.
const peerTrust = `import os, hashlib, glob
out, seen = open('/etc/fapolicyd/fapolicyd.trust', 'w'), set()
for l in glob.glob('/var/lib/dpkg/info/*.list'):
    for f in open(l).read().splitlines():
        f = os.path.realpath(f)
        if f in seen or not os.path.isfile(f) or ' ' in f or f.startswith(('/usr/share/doc', '/usr/share/man', '/usr/share/locale')): continue
        seen.add(f); b = open(f, 'rb').read()
        out.write('%s %d %s\n' % (f, len(b), hashlib.sha256(b).hexdigest()))
for f in ('/root/guest', '` + loneProgram + `'):
    if os.path.isfile(f):
        b = open(f, 'rb').read()
        out.write('%s %d %s\n' % (f, len(b), hashlib.sha256(b).hexdigest()))
`

// fapolicyd starts Debian's package with the rules that its own documentation recommends ("known-libs", README-rules).
func (l *lab) fapolicyd(ctx context.Context) error {
	_, err := l.m.Run(ctx, `cat >/root/peer.sh <<'S'
rm -f /etc/systemd/system/fapolicyd.service /etc/fapolicyd/rules.d/*; systemctl daemon-reload
cd /usr/share/fapolicyd/sample-rules
for n in 10-languages 20-dracut 21-updaters 30-patterns 40-bad-elf 41-shared-obj 42-trusted-elf 70-trusted-lang 72-shell 90-deny-execute 95-allow-open; do cp $n.rules /etc/fapolicyd/rules.d/; done
sed -i 's/^trust = .*/trust = file/' /etc/fapolicyd/fapolicyd.conf
python3 - <<'P'
`+peerTrust+`
P
fagenrules >/dev/null; systemctl start fapolicyd
S`)
	if err != nil {
		return err
	}
	if _, err := l.long(ctx, "sh /root/peer.sh", 8*time.Minute); err != nil { // ten thousand hashes, on an emulated processor
		return err
	}
	return l.await(ctx, "fapolicyd", 4*time.Minute, "cp -f /root/guest /var/tmp/probe; ! su taro -c '/var/tmp/probe reached' >/dev/null 2>&1")
}

func (l *lab) writeBypasses(free, ours, theirs []bool) error {
	var s strings.Builder
	s.WriteString("# What was tried to get past the gate before programs\n\n" +
		"Written by `scripts/bench bypass`, in the lab's virtual machine: Debian 12, as a user without rights where not said otherwise; first with nobody in\n" +
		"the way, where every attempt must succeed, then with Sekisho in enforce mode, then with Debian's fapolicyd 1.1 and the rules that its documentation\n" +
		"recommends (known-libs), trusting what dpkg installed. Why what stays open does: [limits.md](limits.md).\n\n" +
		"| | tried | Sekisho | fapolicyd |\n|---|---|---|---|\n")
	word := map[bool]string{true: "**ran**", false: "stopped"}
	past, pastTheirs, vain := 0, 0, 0
	for i, a := range attempts {
		if !free[i] {
			vain++
			l.say("in vain even with nobody in the way: %s", a.name)
			continue
		}
		fmt.Fprintf(&s, "| %d | %s | %s | %s |\n", i+1-vain, a.name, word[ours[i]], word[theirs[i]])
		past, pastTheirs = past+count(ours[i]), pastTheirs+count(theirs[i])
	}
	fmt.Fprintf(&s, "\nOf %d attempts %d got past Sekisho and %d past fapolicyd.\n", len(attempts)-vain, past, pastTheirs)
	l.figure("bypass_attempts", float64(len(attempts)-vain), "attempts")
	l.against("bypass_ran", float64(past), "attempts", "fapolicyd", float64(pastTheirs))
	if len(attempts)-vain < 25 {
		return errors.New("fewer than 25 attempts work with nobody in the way: the table would prove little")
	}
	return os.WriteFile(bypassTable, []byte(s.String()), 0o644)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
