package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sekisho/internal/policy"
)

// talk is an interview with what somebody types.
func talk(t *testing.T, in io.Reader, a answers) (answers, string, error) {
	t.Helper()
	var out bytes.Buffer
	q := interview{in: in, out: &out, words: setupWordsOf("ja"), lookUp: func(_ context.Context, name string) error {
		if name == "sekisho.example.lan" {
			return nil
		}
		return errors.New("no such host")
	}}
	a, err := q.hold(t.Context(), a, true, true)
	return a, out.String(), err
}

func TestThreeAnswersAreEnough(t *testing.T) {
	a, out, err := talk(t, strings.NewReader("Sekisho.example.lan 192.0.2.10\n総務課 情報係\n内線 2300\n"), answers{})
	if err != nil || !slices.Equal(a.names, []string{"sekisho.example.lan", "192.0.2.10"}) || a.contact != (policy.Contact{Name: "総務課 情報係", Phone: "内線 2300"}) {
		t.Fatalf("%+v %v", a, err)
	}
	for _, want := range []string{"3 件", "[1/3]", "[3/3]"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	if strings.Contains(out, "[4/") || strings.Contains(out, " ! ") {
		t.Errorf("it says too much: %s", out)
	}
}

func TestEnterAloneTakesTheDefaults(t *testing.T) {
	a, _, err := talk(t, strings.NewReader("\n\n\n"), answers{})
	if err != nil || !slices.Equal(a.names, []string{firstOwnName()}) || a.contact != (policy.Contact{}) {
		t.Fatalf("%+v %v", a, err)
	}
}

func TestWhatIsGivenAsAFlagIsNotAsked(t *testing.T) {
	a, out, err := talk(t, strings.NewReader("内線 2300\n"), answers{names: []string{"given"}, contact: policy.Contact{Name: "情報係"}})
	if err != nil || a.names[0] != "given" || a.contact != (policy.Contact{Name: "情報係", Phone: "内線 2300"}) || !strings.Contains(out, "[1/1]") {
		t.Fatalf("%+v %v %s", a, err, out)
	}
}

func TestABadAnswerIsExplainedAndAskedAgain(t *testing.T) {
	a, out, err := talk(t, strings.NewReader("https://sekisho.example.lan:8443\n300.1.2.3\n関所\nlocalhost\n"+strings.Repeat("長", 501)+"\n情報係\n"+strings.Repeat("9", 65)+"\n2300\n"), answers{})
	if err != nil || a.names[0] != "localhost" || a.contact != (policy.Contact{Name: "情報係", Phone: "2300"}) {
		t.Fatalf("%+v %v", a, err)
	}
	if n := strings.Count(out, "  → "); n != 5 {
		t.Errorf("%d explanations: %s", n, out)
	}
	if !strings.Contains(out, "この機械からしか") {
		t.Errorf("nobody is told what localhost means: %s", out)
	}
	if _, out, _ := talk(t, strings.NewReader("nowhere.example\n\n\n"), answers{}); !strings.Contains(out, "nowhere.example は、まだ") {
		t.Errorf("nobody is told that the name is unknown: %s", out)
	}
}

func TestAnswersThatEndEarlyAreNoAnswers(t *testing.T) {
	for name, in := range map[string]string{"nothing": "", "one": "sekisho.example.lan\n", "no end of a line": strings.Repeat("x", 2*maxAnswer)} {
		a, _, err := talk(t, strings.NewReader(in), answers{})
		var h hinted
		if !errors.As(err, &h) || a.names != nil {
			t.Errorf("%s: %+v %v", name, a, err)
		}
	}
}

func TestWhoPressesCtrlCIsNotKeptWaiting(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	in, silent := io.Pipe() // nobody types
	defer silent.Close()
	q := interview{in: in, out: io.Discard, words: setupWordsOf("en"), lookUp: lookUp}
	if a, err := q.hold(ctx, answers{}, true, true); err == nil || a.names != nil {
		t.Errorf("%+v %v", a, err)
	}
}

// blank is the folder of a console that nobody has named yet, with a package's file of comments.
func blank(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	configure(t, dir, "# the office's own words\npeople: 127.0.0.1:9443\n#names: []")
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAScriptSetsUpWithFlags(t *testing.T) {
	dir := blank(t)
	args := []string{"setup", "--state", dir, "--name", "sekisho.example.lan, 192.0.2.10", "--contact", "情報係", "--phone", "2300", "--yes"}
	for range 2 { // again changes nothing
		code, out, errs := words(t, args...)
		if code != exitOK || !strings.HasPrefix(out, "https://sekisho.example.lan:9443/setup/") || errs != "" {
			t.Fatalf("%d %q %q", code, out, errs)
		}
	}
	text := read(t, filepath.Join(dir, "console.yaml"))
	if !strings.HasPrefix(text, "# the office's own words\npeople: 127.0.0.1:9443\n#names: []\nnames:\n") || strings.Count(text, "\nnames:") != 1 {
		t.Errorf("it holds %q", text)
	}
	c, err := readConfig(dir)
	if err != nil || c.Names[0] != "sekisho.example.lan" || c.Names[1] != "192.0.2.10" || !slices.Contains(c.Names, "localhost") {
		t.Errorf("%v %v", c.Names, err)
	}
	h, err := openAll(t.Context(), call{state: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	p, err := h.db.GroupPolicy(t.Context(), firstGroup, 0)
	if err != nil || p.Contact != (policy.Contact{Name: "情報係", Phone: "2300"}) || p.Control.Mode != policy.ModeAudit || p.Version != 2 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestAnAnswerThatIsThereIsNotOverwritten(t *testing.T) {
	dir := blank(t)
	if code, _, errs := words(t, "setup", "--state", dir, "--name", "first.example", "--contact", "情報係"); code != exitOK {
		t.Fatal(errs)
	}
	before := read(t, filepath.Join(dir, "console.yaml"))
	for _, other := range [][]string{{"--name", "second.example"}, {"--contact", "別の係"}} {
		if code, out, errs := words(t, append([]string{"setup", "--state", dir}, other...)...); code != exitFault || out != "" || !strings.Contains(errs, "cannot change") || !strings.Contains(errs, "→") {
			t.Errorf("%v: %d %q %q", other, code, out, errs)
		}
	}
	if after := read(t, filepath.Join(dir, "console.yaml")); after != before {
		t.Errorf("it was %q and is %q", before, after)
	}
}

func TestWithoutFlagsAndWithoutATerminalNothingIsAskedOrWritten(t *testing.T) {
	dir := blank(t)
	before := read(t, filepath.Join(dir, "console.yaml"))
	code, out, errs := words(t, "setup", "--state", dir)
	if code != exitOK || !strings.Contains(out, ":9443/setup/") || errs != "" {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	if after := read(t, filepath.Join(dir, "console.yaml")); after != before {
		t.Errorf("it was %q and is %q", before, after)
	}
}

func TestBadFlagsAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	for _, bad := range [][]string{{"--name", "https://x"}, {"--name", " "}, {"--contact", "a\nb"}, {"--phone", strings.Repeat("9", 65)}, {"--lang", "fr"}} {
		dir := blank(t)
		if code, out, errs := words(t, append([]string{"setup", "--state", dir}, bad...)...); code != exitFault || out != "" || !strings.Contains(errs, "cannot set up") {
			t.Errorf("%v: %d %q %q", bad, code, out, errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "console.db")); err == nil {
			t.Errorf("%v: a database was made", bad)
		}
	}
}

// FuzzNamesAreAddedToAnyConfiguration: what is accepted reads back, and begins with what was there.
func FuzzNamesAreAddedToAnyConfiguration(f *testing.F) {
	for _, seed := range []string{"", "# only words", "people: :1\n", "names: [a]\n", "names:\n", "---\npeople: :1\n...\n", "people: [", "{people: ':1'}", "a: b"} {
		f.Add([]byte(seed), "sekisho.example.lan 192.0.2.10")
	}
	f.Fuzz(func(t *testing.T, text []byte, typed string) {
		names, err := readNames(typed)
		if err != nil {
			return
		}
		got, err := withNames(slices.Clone(text), names)
		if err != nil {
			return
		}
		var c config
		if err := yaml.Unmarshal(got, &c); err != nil || !slices.Equal(c.Names, names) || !bytes.HasPrefix(got, text) {
			t.Errorf("%q with %q is %q: %v, %v", text, names, got, c.Names, err)
		}
	})
}
