//go:build health

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce"
	"sekisho/agent/sensor/health"
	"sekisho/internal/policy"
)

// inNamespace runs this very test again in a network namespace of its own; true is said inside.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("SEKISHO_NETNS") != "" {
		return true
	}
	name := fmt.Sprintf("sekisho-sep-%d", os.Getpid())
	ipCommand(t, "netns", "add", name)
	defer exec.Command("ip", "netns", "del", name).Run()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", name, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=110s")
	cmd.Env = append(os.Environ(), "SEKISHO_NETNS="+name)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("inside: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "after") {
			t.Log(strings.TrimSpace(line))
		}
	}
	return false
}

func ipCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func within(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("it did not happen within %s: %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%s: after %s", what, time.Since(began).Round(10*time.Millisecond))
}

func isUp(t *testing.T, name string) bool {
	return strings.Contains(strings.SplitN(ipCommand(t, "-o", "link", "show", name), ">", 2)[0], ",UP")
}

// plugReal brings a pair of virtual cards, of which one stands for what is plugged in.
func plugReal(t *testing.T, name string) {
	ipCommand(t, "link", "add", name, "type", "veth", "peer", "name", name+"x")
	ipCommand(t, "link", "set", name+"x", "up")
	ipCommand(t, "link", "set", name, "up")
}

// sent is how many packets have left by a card, as the kernel counts.
func sent(t *testing.T, name string) string {
	raw, err := os.ReadFile("/proc/net/dev")
	must(t, err)
	for line := range strings.Lines(string(raw)) {
		if head, rest, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(head) == name {
			return strings.Fields(rest)[9]
		}
	}
	t.Fatalf("no %s", name)
	return ""
}

// office is the whole chain with a real kernel: eyes, judge, decision, hand, journal. What sysfs says of the cards is made up, because no
// card can be plugged in here.
type realOffice struct {
	t       *testing.T
	root    string
	state   string
	mu      sync.Mutex
	policy  *policy.Policy
	said    []string
	checkup *checkup
}

func newRealOffice(t *testing.T) *realOffice {
	o := &realOffice{t: t, root: t.TempDir(), state: t.TempDir()}
	for _, name := range []string{"lan0", "lan0x", "lan1", "lan1x", "usb0", "usb0x"} {
		o.file("sys/class/net/"+name+"/uevent", "INTERFACE="+name+"\n")
	}
	o.file("sys/class/net/lan0/device/x", "")
	o.file("sys/class/net/lan1/device/x", "")
	must(t, os.MkdirAll(filepath.Join(o.root, "sys/class/net/usb0/device"), 0o755))
	must(t, os.Symlink("../../drivers/rndis_host", filepath.Join(o.root, "sys/class/net/usb0/device/driver")))
	o.govern(policy.SeparateDisable)
	must(t, exec.Command("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6").Run())
	plugReal(t, "lan0")
	ipCommand(t, "addr", "add", "192.0.2.10/24", "dev", "lan0")
	ipCommand(t, "route", "add", "default", "via", "192.0.2.1")
	return o
}

func (o *realOffice) file(path, text string) {
	at := filepath.Join(o.root, path)
	must(o.t, os.MkdirAll(filepath.Dir(at), 0o755))
	must(o.t, os.WriteFile(at, []byte(text), 0o644))
}

func (o *realOffice) govern(separate string) {
	p := policy.Builtin(policy.ModeAudit)
	p.Terminal, p.Health = "t1", &policy.Health{Mode: policy.ModeEnforce, Checks: []policy.Check{{ID: "network.tether", Separate: separate}, {ID: "network.second_card", Separate: separate}}}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.policy = p
}

func (o *realOffice) governing() *policy.Policy { o.mu.Lock(); defer o.mu.Unlock(); return o.policy }

func (o *realOffice) hand() *enforce.Adapters {
	return enforce.NewAdapters(enforce.Options{Root: "/", Now: time.Now}, o.state, bootID("/"))
}

// begin starts an agent's part of it; stop ends it as a service is stopped.
func (o *realOffice) begin() (stop func()) {
	notes, err := openCheckNotes(o.t.TempDir(), time.Now, nil)
	must(o.t, err)
	eyes, others := health.New(health.Options{Root: o.root, Now: time.Now}), health.New(health.Options{Root: o.root, Now: time.Now})
	o.checkup = newCheckup(checkupOptions{
		Look: map[string]func(context.Context, []policy.Probe) []policy.Reading{policy.AreaNetwork: func(ctx context.Context, p []policy.Probe) []policy.Reading {
			return eyes.Look(ctx, policy.AreaNetwork, p)
		}},
		Changes: eyes.Changes, Policy: o.governing, Now: time.Now, Doubted: func() bool { return false }, Up: func() time.Duration { return 24 * time.Hour },
		Notes: notes, Changed: func(policy.CheckResult, bool) {}, Log: zerolog.Nop(),
	})
	way := health.Way{Local: netip.MustParseAddr("192.0.2.10"), Remote: netip.MustParseAddr("192.0.2.80")}
	sep := newSeparator(separatorOptions{
		Hand: o.hand(), Look: func() ([]policy.Adapter, error) { return others.Adapters(way) }, Heard: func() bool { return true }, Policy: o.governing,
		Results: o.checkup.results, Acted: o.checkup.acted, Fault: func(string) {}, Log: zerolog.Nop(),
		Said: func(s separated) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.said = append(o.said, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.code, s.adapter.Name, s.result.Outcome, s.note)))
		},
	})
	o.checkup.Judged = func() { ring(sep.poke) }
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { o.checkup.run(ctx) })
	both.Go(func() { sep.run(ctx) })
	return func() { cancel(); both.Wait() }
}

func (o *realOffice) check(id string) policy.CheckResult {
	if r := resultOf(o.checkup.results(), id); r != nil {
		return *r
	}
	return policy.CheckResult{}
}

func (o *realOffice) heard(what string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(strings.Join(o.said, "\n"), what)
}

func TestRealSeparation(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	o := newRealOffice(t)
	before := sent(t, "lan0")
	stop := o.begin()
	passes := func(id string) func() bool { return func() bool { return o.check(id).Result == policy.ResultPass } }
	within(t, "nothing is wrong", 20*time.Second, passes("network.tether"))

	plugReal(t, "usb0")
	within(t, "the telephone is cut off", 10*time.Second, func() bool { return !isUp(t, "usb0") })
	within(t, "the check fails and says so", 10*time.Second, func() bool {
		r := o.check("network.tether")
		return r.Result == policy.ResultFail && r.Act == policy.Act{Adapter: "usb0", Outcome: policy.OutcomeBlocked}
	})
	if !o.heard("adapter_off usb0 blocked") || !isUp(t, "lan0") {
		t.Fatalf("said %q, lan0 up %t", o.said, isUp(t, "lan0"))
	}
	ipCommand(t, "link", "set", "usb0", "up")
	within(t, "somebody enabled it: it is cut off again", 10*time.Second, func() bool { return !isUp(t, "usb0") })
	ipCommand(t, "link", "del", "usb0")
	within(t, "unplugged: the check passes", 10*time.Second, passes("network.tether"))
	if !o.heard("adapter_on usb0 removed") {
		t.Errorf("said %q", o.said)
	}

	plugReal(t, "lan1")
	within(t, "the second card is cut off", 10*time.Second, func() bool { return !isUp(t, "lan1") })
	o.govern(policy.SeparateReport)
	o.checkup.again()
	within(t, "the policy reports only: it works again", 10*time.Second, func() bool { return isUp(t, "lan1") })
	if r := o.check("network.second_card"); r.Result != policy.ResultFail {
		t.Errorf("it is still there: %+v", r)
	}
	o.govern(policy.SeparateDisable)
	o.checkup.again()
	within(t, "disabled once more", 10*time.Second, func() bool { return !isUp(t, "lan1") })
	stop()
	if !isUp(t, "lan1") || !o.heard("the agent ended") {
		t.Errorf("the agent ended, lan1 up %t, said %q", isUp(t, "lan1"), o.said)
	}

	lan1 := policy.Adapter{Name: "lan1", ID: strings.SplitN(ipCommand(t, "-o", "link", "show", "lan1"), ":", 2)[0] + " lan1", Fact: policy.FactCards}
	o.govern(policy.SeparateReport)
	if r := o.hand().Disable(t.Context(), lan1); r.Outcome != policy.OutcomeBlocked || isUp(t, "lan1") {
		t.Fatalf("%+v", r)
	}
	stop = o.begin() // the agent before died without a word
	within(t, "the next agent gives back what a dead one disabled", 10*time.Second, func() bool { return isUp(t, "lan1") })
	stop()
	if r := o.hand().Disable(t.Context(), lan1); r.Outcome != policy.OutcomeBlocked || isUp(t, "lan1") {
		t.Fatalf("%+v", r)
	}
	if err := letAdapters(t.Context(), config{State: o.state}); err != nil || !isUp(t, "lan1") {
		t.Errorf("removed: %v, lan1 up %t", err, isUp(t, "lan1"))
	}
	if r := o.hand().Disable(t.Context(), policy.Adapter{Name: "lan1", ID: "9999 lan1"}); r.Outcome != policy.OutcomeRemoved || !isUp(t, "lan1") {
		t.Errorf("a card with the name of another: %+v, up %t", r, isUp(t, "lan1"))
	}
	if now := sent(t, "lan0"); now != before || sent(t, "lan1") != "0" {
		t.Errorf("packets were sent: lan0 %s then %s, lan1 %s", before, now, sent(t, "lan1"))
	}
	if routes := ipCommand(t, "route", "show", "default"); !bytes.Contains([]byte(routes), []byte("via 192.0.2.1 dev lan0")) {
		t.Errorf("the office's route is gone: %s", routes)
	}
}
