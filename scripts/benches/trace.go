//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

// traceOn makes the guest's kernel note, with one clock and at the moment itself: an announced device (dev_uevent makes the
// text of the uevent right before it is sent), what the two daemons write, and the end of every fsync on ext4.
// No daemon is changed or slowed by more than these notes, and both by the same.
// The offsets: struct kobject begins with its name (include/linux/kobject.h); a kobj_uevent_env's text lies behind argv (3),
// envp (64) and an int, and begins with ACTION=. In a write to the journal the first record's number stands at byte 4 and its
// body at byte 52 (agent/outbox/segment.go).
// https://docs.kernel.org/trace/kprobetrace.html
const traceOn = `set -e
cd /sys/kernel/tracing
echo 0 >tracing_on; echo mono >trace_clock; echo 16384 >buffer_size_kb
if ! grep -q sekisho kprobe_events; then
  echo 'p:sekisho/plug dev_uevent name=+0(+0(%di)):string action=+540(%si):string' >>kprobe_events
  echo 'p:sekisho/audit ksys_write text=+u0(%si):ustring' >>kprobe_events
  echo 'p:sekisho/journal ksys_write seq=+u4(%si):x64 text=+u52(%si):ustring' >>kprobe_events
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
	at   time.Duration
	what string
	text string
}

// usbguard-daemon-482     [001] .....   142.424182: audit: (ksys_write+0x0/0xf0) text="[17954…
var traceLine = regexp.MustCompile(`^\s*.{1,16}-\d+\s+\[\d+\]\s+\S+\s+(\d+)\.(\d{6}): (\w+): (.*)$`)

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
		s, err1 := strconv.ParseInt(m[1], 10, 64)
		us, err2 := strconv.ParseInt(m[2], 10, 64)
		if err1 == nil && err2 == nil {
			notes = append(notes, noted{at: time.Duration(s)*time.Second + time.Duration(us)*time.Microsecond, what: m[3], text: m[4]})
		}
	}
	return notes
}

// verdict finds, in the notes after a plug, the moment at which a final verdict on that device was recorded.
type verdict func(device string, after []noted) (time.Duration, bool)

// agentVerdict is the beginning of the write of the record "blocked" of that device, as it is for USBGuard. The record may
// be any of a write, so its number is looked up in the journal itself.
func agentVerdict(records []recorded) verdict {
	return func(device string, after []noted) (time.Duration, bool) {
		i, ok := agentWrite(records, device, after)
		if !ok {
			return 0, false
		}
		return after[i].at, true
	}
}

// durableVerdict is the end of the first fsync of the journal behind that write. The thread may be another one by then, for
// Go's goroutines wander.
func durableVerdict(inode string, records []recorded) verdict {
	return func(device string, after []noted) (time.Duration, bool) {
		i, ok := agentWrite(records, device, after)
		if !ok {
			return 0, false
		}
		for _, n := range after[i:] {
			if n.what == "ext4_sync_file_exit" && strings.Contains(n.text, " ino "+inode+" ") {
				return n.at, true
			}
		}
		return 0, false
	}
}

// agentWrite finds the note of the write that holds the record.
func agentWrite(records []recorded, device string, after []noted) (int, bool) {
	for i, n := range after {
		first, ok := journalWrite(n)
		if ok && slices.ContainsFunc(records, func(r recorded) bool { return r.device == device && r.seq >= first && r.seq < nextWrite(after[i+1:]) }) {
			return i, true
		}
	}
	return 0, false
}

// journalWrite gives the number of the first record of a write to the journal.
func journalWrite(n noted) (uint64, bool) {
	if n.what != "journal" || !strings.Contains(n.text, `text="{"kind":`) {
		return 0, false
	}
	seq, err := strconv.ParseUint(between(n.text, "seq=0x", " "), 16, 64)
	return bits.ReverseBytes64(seq), err == nil // the journal's numbers are big endian
}

func nextWrite(after []noted) uint64 {
	for _, n := range after {
		if first, ok := journalWrite(n); ok {
			return first
		}
	}
	return 1<<64 - 1
}

// recorded is a record of the journal that says that a device was blocked.
type recorded struct {
	seq    uint64
	device string
}

// blockedRecords reads the agent's journal.
func (l *lab) blockedRecords(ctx context.Context) (found []recorded, err error) {
	raw, err := l.m.Run(ctx, "cat $(find /var/lib/sekisho -name '*.seg' | sort)")
	if err != nil {
		return nil, err
	}
	for rest := []byte(raw); ; {
		at := bytes.Index(rest, []byte(`{"kind":"device"`))
		if at < 0 {
			return found, nil
		}
		var r wire.Record
		if err := json.NewDecoder(bytes.NewReader(rest[at:])).Decode(&r); err != nil {
			return nil, fmt.Errorf("cannot read the agent's journal: %w", err)
		}
		if at >= journalHead && r.Outcome == policy.OutcomeBlocked {
			found = append(found, recorded{binary.BigEndian.Uint64(rest[at-journalHead+4:]), r.Event.Device.ID})
		}
		rest = rest[at+1:]
	}
}

// journalHead is how many bytes stand before a record's body (agent/outbox/segment.go).
const journalHead = 52

// journal gives the inode of the segment that the agent writes to now.
func (l *lab) journal(ctx context.Context) (string, error) {
	out, err := l.m.Run(ctx, "find /var/lib/sekisho -name '*.seg' -printf '%T@ %i\\n' | sort -n | tail -n 1")
	_, inode, ok := strings.Cut(strings.TrimSpace(out), " ")
	if err == nil && !ok {
		err = fmt.Errorf("cannot find the agent's journal")
	}
	return inode, err
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

// delays gives plug to verdict for every one of n plugged devices.
func delays(notes []noted, n int, when verdict) (all []time.Duration, err error) {
	for i, note := range notes {
		device := between(note.text, `name="`, `"`)
		if note.what != "plug" || strings.Contains(device, ":") {
			continue // with a colon it is an interface of a device
		}
		at, ok := when(device, notes[i+1:])
		if !ok {
			return all, fmt.Errorf("no verdict on device %s was recorded", device)
		}
		all = append(all, at-note.at)
	}
	if len(all) != n {
		return all, fmt.Errorf("%d sticks were plugged and the kernel announced %d", n, len(all))
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
