//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// asked is what the gate before programs was asked.
type asked struct {
	others, own int           // by the programs of the machine, and by the agent's own
	work        time.Duration // of processors, by the agent
}

// countOn makes the guest's kernel count the questions by who has to wait for the answer. About a folder (FS_ISDIR) nobody is asked:
// fanotify drops that by itself.
// https://docs.kernel.org/trace/histogram.html
const countOn = `set -e
cd /sys/kernel/tracing
echo 'p:sekisho/question fanotify_handle_event mask=%si:u32' >>kprobe_events
echo '` + countBy + `' >events/sekisho/question/trigger`

const countBy = `hist:keys=common_pid.execname:size=16384 if !(mask & 0x40000000)`

const countOff = `set -e
cd /sys/kernel/tracing
cat events/sekisho/question/hist
echo '!` + countBy + `' >events/sekisho/question/trigger
echo '-:sekisho/question' >>kprobe_events`

// agentWork is user's and system's ticks of the agent (proc_pid_stat(5)).
const agentWork = `cut -d' ' -f14,15 /proc/$(systemctl show -p MainPID --value sekisho-agent)/stat`

// questions counts what the gate is asked while something is done.
func (l *lab) questions(ctx context.Context, do func() error) (a asked, err error) {
	before, err := l.agentWork(ctx)
	if err != nil {
		return a, err
	}
	if _, err := l.m.Run(ctx, countOn); err != nil {
		return a, err
	}
	if err := do(); err != nil {
		return a, err
	}
	text, err := l.m.Run(ctx, countOff)
	if err != nil {
		return a, err
	}
	after, err := l.agentWork(ctx)
	by := parseQuestions(text)
	for _, name := range slices.SortedFunc(maps.Keys(by), func(a, b string) int { return cmp.Compare(by[b], by[a]) }) {
		if name == "sekisho-agent" {
			a.own = by[name]
		} else {
			a.others += by[name]
		}
		l.say("%d questions by %s", by[name], name)
	}
	a.work = after - before
	return a, err
}

func (l *lab) agentWork(ctx context.Context) (time.Duration, error) {
	out, err := l.m.Run(ctx, agentWork)
	if err != nil {
		return 0, err
	}
	var user, system int
	if _, err := fmt.Sscan(out, &user, &system); err != nil {
		return 0, fmt.Errorf("cannot read how long the agent has worked: %w", err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil // clock ticks, 100 a second
}

// parseQuestions adds up what the kernel counted, by the names of programs:
// { common_pid: dpkg            [      2323] } hitcount:          5
func parseQuestions(text string) map[string]int {
	by := map[string]int{}
	for line := range strings.Lines(text) {
		who, n, ok := strings.Cut(line, "} hitcount:")
		name, there := strings.CutPrefix(who, "{ common_pid: ")
		count, err := strconv.Atoi(strings.TrimSpace(n))
		if at := strings.LastIndexByte(name, '['); ok && there && err == nil && at > 0 {
			by[strings.TrimSpace(name[:at])] += count
		}
	}
	return by
}
