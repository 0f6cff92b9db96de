package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"sekisho/agent/local"
)

// How long install waits for the console's first answer; a terminal is often set up before its network.
const (
	arrivalLimit = 15 * time.Second
	arrivalLook  = 250 * time.Millisecond
)

// arrival watches the agent that was just started until the console has answered it.
type arrival struct {
	socket       string
	limit, every time.Duration
}

// tell says whether the terminal arrived at the console, or why not yet.
func (a arrival) tell(ctx context.Context, out io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, a.limit)
	defer cancel()
	var last local.Link
	var err error
	for {
		var now local.Answer
		if now, err = local.Ask(ctx, a.socket, local.Request{Ask: local.AskStatus}); err == nil {
			last = now.Link
			if last.Server == "" || last.Enrolled && !last.Contact.IsZero() && last.Error == "" {
				break
			}
		}
		if !pause(ctx, a.every) {
			break
		}
	}
	if err != nil && last == (local.Link{}) {
		fmt.Fprintf(out, "nobody knows yet whether it is enrolled: %v\n", err)
		return
	}
	fmt.Fprintln(out, arrived(last))
}

func arrived(l local.Link) string {
	why := l.Error
	if why == "" {
		why = "the console has not answered yet"
	}
	switch {
	case l.Enrolled && l.Error == "" && !l.Contact.IsZero():
		return fmt.Sprintf("enrolled as terminal %s (%s); the console answers", l.Terminal, hostName())
	case l.Enrolled:
		return fmt.Sprintf("enrolled as terminal %s (%s), but not connected yet: %s\n  the agent keeps trying; `sekisho-agent doctor` checks what is in the way", l.Terminal, hostName(), why)
	case l.Server != "":
		return fmt.Sprintf("not enrolled yet: %s\n  the agent keeps trying; `sekisho-agent doctor` checks what is in the way", why)
	}
	return "no console is configured; this terminal is guarded by the built-in policy, which only records"
}
