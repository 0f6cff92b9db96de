package main

import "testing"

func TestAServicesPathIsQuotedWhereItMustBe(t *testing.T) {
	for line, want := range map[string]string{
		`C:\Program Files\Sekisho\sekisho-agent.exe run`:   `"C:\Program Files\Sekisho\sekisho-agent.exe" run`,
		`"C:\Program Files\Sekisho\sekisho-agent.exe" run`: `"C:\Program Files\Sekisho\sekisho-agent.exe" run`,
		`C:\漢字\sekisho-agent.exe run`:                      `C:\漢字\sekisho-agent.exe run`,
		`C:\漢字 フォルダー\sekisho-agent.exe`:                    `"C:\漢字 フォルダー\sekisho-agent.exe"`,
		`sekisho agent run`:                                `sekisho agent run`,
		"":                                                 "",
	} {
		if got := quoted(line); got != want {
			t.Errorf("%q becomes %q", line, got)
		}
	}
}
