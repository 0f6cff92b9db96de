package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sekisho/agent/local"
)

// errNoCase says that there is nothing to tell the helpdesk; the user has read so already.
var errNoCase = errors.New("no case")

// requestCommand shows what a person at the terminal reads out on the telephone.
func requestCommand(ctx context.Context, s streams, args []string) error {
	f := flags("request")
	socket := f.String("socket", defaultSocket, "`path` of the agent's local socket")
	asJSON := f.Bool("json", false, "print JSON")
	lang := f.String("lang", language(s.getenv), "`language`: ja or en")
	if err := parse(s, f, args, "Shows the request number of each device and program that was stopped, why, and whom to call.\n"+
		"The exit code is 3 when there is none."); err != nil {
		return err
	}
	words := wordsOf(*lang)
	a, err := local.Ask(ctx, *socket, local.Request{Ask: local.AskCases})
	if err != nil {
		return hint(words.unreachable(err), words.isItRunning)
	}
	if *asJSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		err = enc.Encode(a.Cases)
	} else {
		showCases(s.out, words, a.Cases)
	}
	if err == nil && len(a.Cases) == 0 {
		return errNoCase
	}
	return err
}

func showCases(w io.Writer, t statusWords, cases []local.Case) {
	if len(cases) == 0 {
		fmt.Fprintln(w, t.noCase)
	}
	for i, c := range cases {
		if i > 0 {
			fmt.Fprintln(w)
		}
		showCase(w, t, c)
	}
}

// showCase begins with what the helpdesk asks for first.
func showCase(w io.Writer, t statusWords, c local.Case) {
	fmt.Fprintf(w, "%s  %s\n", t.number, c.Request)
	n := c.Notice
	n.Language, n.Request = t.lang, ""
	title, body := n.Words()
	seen, gone := t.seen, t.gone
	if c.Program != "" {
		seen, gone = t.noticed, t.removed
	}
	when := fmt.Sprintf(seen, c.Since.Local().Format("2006-01-02 15:04"))
	if c.Gone {
		when += gone
	}
	for _, line := range append([]string{title, when}, strings.Split(body, "\n")...) {
		fmt.Fprintln(w, "  "+line)
	}
}
