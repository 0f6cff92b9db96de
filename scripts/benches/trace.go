//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// traceOn makes the guest's kernel note, with one clock and at the moment itself: an announced device (dev_uevent makes the
// text of the uevent right before it is sent), what the two daemons write, and the end of every fsync on ext4.
// No daemon is changed or slowed by more than these notes, and both by the same.
// The offsets: struct kobject begins with its name (include/linux/kobject.h); a kobj_uevent_env's text lies behind argv (3),
// envp (64) and an int, and begins with ACTION=. A record of the journal begins 52 bytes into a write (agent/outbox).
// https://docs.kernel.org/trace/kprobetrace.html
const traceOn = `set -e
cd /sys/kernel/tracing
echo 0 >tracing_on; echo mono >trace_clock; echo 16384 >buffer_size_kb
if ! grep -q sekisho kprobe_events; then
  echo 'p:sekisho/plug dev_uevent name=+0(+0(%di)):string action=+540(%si):string' >>kprobe_events
  echo 'p:sekisho/audit ksys_write text=+u0(%si):ustring' >>kprobe_events
  echo 'p:sekisho/journal ksys_write text=+u52(%si):ustring' >>kprobe_events
  echo 'action=="ACTION=add" && name~"[0-9]*-[0-9]*"' >events/sekisho/plug/filter
  echo 'comm=="usbguard-daemon"' >events/sekisho/audit/filter
  echo 'comm=="sekisho-agent"' >events/sekisho/journal/filter
  echo 'ret==0' >events/ext4/ext4_sync_file_exit/filter
fi
for e in sekisho/plug sekisho/audit sekisho/journal ext4/ext4_sync_file_exit; do echo 1 >events/$e/enable; done
echo >trace
echo 1 >tracing_on`

const traceOff = `cd /sys/kernel/tracing; echo 0 >tracing_on; cat trace; echo >trace`

// noted is one line of the kernel's trace.
type noted struct {
	comm string
	pid  string
	at   time.Duration
	what string
	text string
}

// usbguard-daemon-482     [001] .....   142.424182: audit: (ksys_write+0x0/0xf0) text="[17954…
var traceLine = regexp.MustCompile(`^\s*(.{1,16})-(\d+)\s+\[\d+\]\s+\S+\s+(\d+)\.(\d{6}): (\w+): (.*)$`)

// parseTrace reads what the kernel noted; a text with line breaks goes on until the next note.
func parseTrace(text string) (notes []noted) {
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := traceLine.FindStringSubmatch(lines.Text())
		if m == nil {
			if len(notes) > 0 {
				notes[len(notes)-1].text += "\n" + lines.Text()
			}
			continue
		}
		s, err1 := strconv.ParseInt(m[3], 10, 64)
		us, err2 := strconv.ParseInt(m[4], 10, 64)
		if err1 == nil && err2 == nil {
			notes = append(notes, noted{comm: m[1], pid: m[2], at: time.Duration(s)*time.Second + time.Duration(us)*time.Microsecond, what: m[5], text: m[6]})
		}
	}
	return notes
}

// verdict finds, in the notes after a plug, the moment at which a final verdict on that device was recorded.
type verdict func(device string, after []noted) (time.Duration, bool)

// agentVerdict is the end of the fsync that follows, in the same thread, the write of a record "blocked" of that device.
func agentVerdict(device string, after []noted) (time.Duration, bool) {
	writer := ""
	for _, n := range after {
		switch {
		case writer == "" && n.what == "journal" && strings.Contains(n.text, `"outcome":"blocked"`) && strings.Contains(n.text, `"id":"`+device+`"`):
			writer = n.pid
		case n.what == "ext4_sync_file_exit" && n.pid == writer:
			return n.at, true
		}
	}
	return 0, false
}

// usbguardVerdict is the beginning of the write of the audit line that says that the policy was applied to that device;
// USBGuard does not fsync it.
func usbguardVerdict(device string, after []noted) (time.Duration, bool) {
	for _, n := range after {
		if n.what == "audit" && strings.Contains(n.text, `text="[`) && strings.Contains(n.text, "result='SUCCESS'") &&
			strings.Contains(n.text, "/"+device+"'") && strings.Contains(n.text, "type='Policy.Device.Update'") {
			return n.at, true
		}
	}
	return 0, false
}

// delays gives plug to verdict for every plugged device.
func delays(notes []noted, when verdict) (all []time.Duration, err error) {
	for i, n := range notes {
		device := between(n.text, `name="`, `"`)
		if n.what != "plug" || strings.Contains(device, ":") {
			continue // with a colon it is an interface of a device
		}
		at, ok := when(device, notes[i+1:])
		if !ok {
			return all, fmt.Errorf("no verdict on device %s was recorded", device)
		}
		all = append(all, at-n.at)
	}
	return all, nil
}

func between(s, before, behind string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, behind)
	return s
}

// traced runs do while the kernel takes notes.
func (l *lab) traced(ctx context.Context, do func() error) ([]noted, error) {
	if _, err := l.m.Run(ctx, traceOn); err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	text, err := l.m.Run(ctx, traceOff)
	return parseTrace(text), err
}
