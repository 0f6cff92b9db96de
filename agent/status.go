package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sekisho/agent/local"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func statusCommand(ctx context.Context, s streams, args []string) error {
	f := flags("status")
	socket := f.String("socket", defaultSocket, "`path` of the agent's local socket")
	asJSON := f.Bool("json", false, "print JSON")
	lang := f.String("lang", language(s.getenv), "`language`: ja or en")
	if err := parse(s, f, args, "Shows what is attached to this terminal and what was judged."); err != nil {
		return err
	}
	a, err := local.Ask(ctx, *socket, local.Request{Ask: local.AskStatus})
	if err != nil {
		return hint(wordsOf(*lang).unreachable(err), wordsOf(*lang).isItRunning)
	}
	if a.Status == nil {
		return fmt.Errorf("cannot show the status: the agent gave none")
	}
	if *asJSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(a)
	}
	showStatus(s.out, wordsOf(*lang), a)
	return nil
}

// language is Japanese unless the environment asks for English.
func language(getenv func(string) string) string {
	l := cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"))
	if strings.HasPrefix(l, "en") {
		return "en"
	}
	return "ja"
}

func showStatus(w io.Writer, t statusWords, a local.Answer) {
	s := a.Status
	rows := [][]string{
		{t.mode, t.say(s.Mode) + fmt.Sprintf(t.revision, s.Revision)},
		{t.gate, t.say("gate " + s.Gate)},
		{t.software, t.softwareWords(a.Software)},
		{t.console, t.link(a.Link)},
		{t.unsent, fmt.Sprint(s.Unsent)},
		{t.user, cmp.Or(s.User, "-")},
		{t.agent, s.Agent + " / " + s.OS + " / " + s.Kernel},
	}
	if s.Update != nil {
		rows = append(rows, []string{t.update, t.updateWords(*s.Update)})
		if s.Update.Reason != "" {
			rows = append(rows, []string{"", oneLine(s.Update.Reason)})
		}
	}
	for i, fault := range s.Faults {
		rows = append(rows, []string{t.fault, t.faultWords(s, i)})
		if t.faultWords(s, i) != oneLine(fault) {
			rows = append(rows, []string{"", oneLine(fault)}) // the raw fact, for who has to search for it
		}
	}
	for _, u := range s.Unsaid {
		rows = append(rows, []string{t.unsaid, oneLine(u)})
	}
	table(w, rows)
	fmt.Fprintln(w)
	showDevices(w, t, s.Devices)
	showChecks(w, t, a.Checks)
}

// showChecks lists the checks that fail, with what is to be done, and says how many cannot be judged.
func showChecks(w io.Writer, t statusWords, results []policy.CheckResult) {
	var rows [][]string
	unknown := 0
	for _, r := range results {
		info, _ := policy.CheckOf(r.Check)
		switch r.Result {
		case policy.ResultUnknown:
			unknown++
		case policy.ResultFail:
			rows = append(rows, []string{"", cmp.Or(info.Name.In(t.lang), r.Check), oneLine(cmp.Or(r.Value, r.Code)), t.did(r.Act) + info.Todo.In(t.lang)})
		}
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
		fmt.Fprintln(w, t.checksFail)
		table(w, rows)
	}
	if unknown > 0 {
		fmt.Fprintln(w)
		fmt.Fprintf(w, t.checksUnknown+"\n", unknown)
	}
}

// did says that an adapter was disabled because of a check, or could not be; what was only recorded is the console's to tell.
func (t statusWords) did(a policy.Act) string {
	switch a.Outcome {
	case policy.OutcomeBlocked:
		return fmt.Sprintf(t.adapterOff, oneLine(a.Adapter))
	case policy.OutcomeBlockFailed:
		return fmt.Sprintf(t.adapterStays, oneLine(a.Adapter))
	}
	return ""
}

func showDevices(w io.Writer, t statusWords, devices []wire.Attached) {
	if len(devices) == 0 {
		fmt.Fprintln(w, t.none)
		return
	}
	rows := [][]string{t.header}
	for _, d := range devices {
		rows = append(rows, []string{d.Device.ID, t.kinds(d.Device), naming(d.Device), cmp.Or(d.Device.Serial, "-"), t.result(d), t.rule(d.Decision)})
	}
	table(w, rows)
}

func naming(d policy.Device) string {
	name := strings.TrimSpace(d.Manufacturer + " " + d.Name)
	return cmp.Or(name, strings.Trim(d.Vendor+":"+d.Product, ":"), "-")
}
