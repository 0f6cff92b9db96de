//go:build linux

package main

import (
	"testing"
	"time"
)

// A trace as Linux 6.1 wrote it: a stick on port 2-2, with its interface; the agent's write holds two records.
const trace = `# tracer: nop
     kworker/1:4-393     [001] .....    77.423121: plug: (dev_uevent+0x0/0x2f0) name="2-2" action="ACTION=add"
     kworker/1:4-393     [001] .....    77.428154: plug: (dev_uevent+0x0/0x2f0) name="2-2:1.0" action="ACTION=add"
   sekisho-agent-510     [001] .....    77.450000: journal: (ksys_write+0x0/0xf0) seq=0x500000000000000 text="{"kind":"agent","code":"told"}"
   sekisho-agent-456     [001] .N...    77.476655: ext4_sync_file_exit: dev 254,0 ino 14712 ret 0
   sekisho-agent-510     [001] .....    78.065748: journal: (ksys_write+0x0/0xf0) seq=0x7263656a62757322 text="X174578","outcome":"blocked""
   sekisho-agent-510     [001] .....    78.066345: journal: (ksys_write+0x0/0xf0) seq=0x600000000000000 text="{"kind":"agent","code":"x"}"
   sekisho-agent-456     [000] .....    78.100000: ext4_sync_file_exit: dev 254,0 ino 99 ret 0
   sekisho-agent-456     [000] .....    78.127572: ext4_sync_file_exit: dev 254,0 ino 14712 ret 0
 usbguard-daemon-482     [001] .....    78.200000: audit: (ksys_write+0x0/0xf0) text="[1795467405.105] (A) uid=0 result='SUCCESS' device.system_name='/devices/pci0000:00/usb2/2-2' type='Device.Insert' 
"
 usbguard-daemon-482     [001] .....    78.300000: audit: (ksys_write+0x0/0xf0) text="[1795467405.114] (A) uid=0 result='SUCCESS' device.system_name='/devices/pci0000:00/usb2/2-2' target.new='block' target.old='block' type='Policy.Device.Update' 
"
`

func TestTheAgentsVerdictIsTheWriteThatHoldsTheRecordAndIsDurableWithItsSync(t *testing.T) {
	records := []recorded{{seq: 7, device: "2-2"}, {seq: 3, device: "2-1"}}
	for end, when := range map[time.Duration]verdict{
		78066345 * time.Microsecond: agentVerdict(records),
		78127572 * time.Microsecond: durableVerdict("14712", records),
	} {
		got, err := delays(parseTrace(trace), 1, when)
		if want := end - 77423121*time.Microsecond; err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%v instead of %v: %v", got, want, err)
		}
	}
}

func TestUSBGuardsVerdictIsTheLineThatSaysThatThePolicyWasApplied(t *testing.T) {
	got, err := delays(parseTrace(trace), 1, usbguardVerdict)
	if want := 78300000*time.Microsecond - 77423121*time.Microsecond; err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%v instead of %v: %v", got, want, err)
	}
}

func TestAVerdictThatIsMissingIsAnErrorAndNotAGoodFigure(t *testing.T) {
	for name, when := range map[string]verdict{
		"of another device": agentVerdict([]recorded{{seq: 7, device: "2-3"}}),
		"never synced":      durableVerdict("1", []recorded{{seq: 7, device: "2-2"}}),
		"before the plug":   agentVerdict([]recorded{{seq: 3, device: "2-2"}}),
	} {
		if got, err := delays(parseTrace(trace), 1, when); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := delays(parseTrace(trace), 2, usbguardVerdict); err == nil {
		t.Error("a stick that the kernel never announced was not missed")
	}
}

func TestWhatAProcessUsedIsReadFromTheKernelsOwnWords(t *testing.T) {
	got, err := parseUsed("1500000 20 3\n500000 1 1\n---\nName:\tx\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t9\n" +
		"voluntary_ctxt_switches:\t2\n---\n55 [rollup]\nRss:               10000 kB\nPss:                5000 kB\n")
	want := used{memory: memory{rss: 10.24, pss: 5.12}, cpu: 2 * time.Millisecond, wakeups: 42}
	if err != nil || got != want {
		t.Errorf("%+v instead of %+v: %v", got, want, err)
	}
	for _, bad := range []string{"", "x 1 1\n---\n---\nRss: 1 kB\n", "1 1 1\n---\n---\n"} {
		if got, err := parseUsed(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func TestProcessorTimeIsReadBehindAnyName(t *testing.T) {
	got, err := parseCPU("7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 1 1 1")
	if err != nil || got != 2*time.Second {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := parseCPU("7 (short) S 1"); err == nil {
		t.Errorf("%v of half a line", got)
	}
}

func TestQuestionsAreCountedByWhoWaits(t *testing.T) {
	got := parseQuestions("# event histogram\n#\n\n{ common_pid: dpkg            [      2323] } hitcount:          5\n" +
		"{ common_pid: dpkg            [      2400] } hitcount:         15\n{ common_pid: http [odd]      [      2401] } hitcount:          1\n\nTotals:\n    Hits: 21\n")
	if len(got) != 2 || got["dpkg"] != 20 || got["http [odd]"] != 1 {
		t.Errorf("%v", got)
	}
}
