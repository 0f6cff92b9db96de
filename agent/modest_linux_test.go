package main

import (
	"os"
	"testing"
)

func TestOnlyTheProgramsOwnUnwritablePagesAreGivenBack(t *testing.T) {
	const file = "/usr/bin/sekisho-agent"
	for line, want := range map[string]bool{
		"00400000-007d9000 r-xp 00000000 fe:00 131 /usr/bin/sekisho-agent\n":   true,
		"007d9000-00bbf000 r--p 003d9000 fe:00 131 /usr/bin/sekisho-agent\n":   true,
		"00bbf000-00c1d000 rw-p 007bf000 fe:00 131 /usr/bin/sekisho-agent\n":   false, // its variables
		"7f0000000000-7f0000001000 r--p 00000000 fe:00 9 /usr/lib/libc.so.6\n": false,
		"c000000000-c000400000 rw-p 00000000 00:00 0\n":                        false,
		"7ffd1000-7ffd0000 r-xp 0 fe:00 1 /usr/bin/sekisho-agent":              false,
		"zz-7ffd r-xp 0 fe:00 1 /usr/bin/sekisho-agent":                        false,
		"": false,
	} {
		if _, _, got := ownMapping(line, file); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

func TestAProgramRunsOnAfterItGaveItsPagesBack(t *testing.T) {
	before, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := shedProgram(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile("/proc/self/exe")
	if err != nil || len(after) != len(before) {
		t.Errorf("read %d bytes, want %d: %v", len(after), len(before), err)
	}
}
