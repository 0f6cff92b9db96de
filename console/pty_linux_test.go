package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal gives both ends of a terminal: what a person sees and types, and what the program has (pty(7)).
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

func TestAPersonAtATerminalIsAskedThreeQuestionsAndToldWhatComesNext(t *testing.T) {
	dir := blank(t)
	person, program := terminal(t)
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"setup", "--state", dir, "--lang", "ja"}, program, program, program)
		program.Close()
	}()
	sees := bufio.NewReader(person)
	var seen bytes.Buffer
	for _, turn := range []struct{ until, typed string }{{"[1/3]", ""}, {"] ", "https://wrong\n"}, {"192.0.2.10", ""}, {"      ", ""}, {"] ", "sekisho.example.lan\n"}, {"[2/3]", ""}, {"[] ", "情報係\n"}, {"[3/3]", ""}, {"[] ", "2300\n"}, {"/setup/", ""}} {
		for !strings.HasSuffix(seen.String(), turn.until) {
			b, err := sees.ReadByte()
			if err != nil {
				t.Fatalf("before %q: %v, seen %s", turn.until, err, seen.String())
			}
			seen.WriteByte(b)
		}
		if _, err := person.WriteString(turn.typed); err != nil {
			t.Fatal(err)
		}
	}
	go func() { // the rest is read so that the program can end
		for {
			if _, err := sees.ReadByte(); err != nil {
				return
			}
		}
	}()
	if code := <-ended; code != exitOK {
		t.Fatalf("ended with %d: %s", code, seen.String())
	}
	for _, want := range []string{"次にすること", begin, filepath.Join(dir, "ca.crt"), "https://sekisho.example.lan:9443/setup/"} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("it does not say %q: %s", want, seen.String())
		}
	}
	if !strings.Contains(read(t, filepath.Join(dir, "console.yaml")), "names:\n    - sekisho.example.lan\n") {
		t.Errorf("it holds %s", read(t, filepath.Join(dir, "console.yaml")))
	}
}
