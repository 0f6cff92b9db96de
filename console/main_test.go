package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/agentapi"
)

// words runs a command line and gives what it wrote.
func words(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// state is a folder with a configuration for free ports of this machine.
func state(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	configure(t, dir, "people: 127.0.0.1:0\nterminals: 127.0.0.1:0\nnames: [console.example]\n")
	return dir
}

func configure(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "console.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	if code, out, _ := words(t, "--help"); code != exitOK || !strings.Contains(out, "serve") {
		t.Errorf("--help: %d %s", code, out)
	}
	for _, c := range commands() {
		if code, out, errs := words(t, c.name, "--help"); code != exitOK || !strings.Contains(out, "-state") || errs != "" {
			t.Errorf("%s --help: %d %q %q", c.name, code, out, errs)
		}
		if code, _, errs := words(t, c.name, "--nonsense"); code != exitUsage || errs == "" {
			t.Errorf("%s --nonsense: %d %q", c.name, code, errs)
		}
	}
	for _, args := range [][]string{nil, {"nonsense"}, {"backup"}, {"backup", "a", "b"}, {"version", "x"}} {
		if code, _, errs := words(t, args...); code != exitUsage || errs == "" {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
}

func TestATokenIsPrintedOnceWithTheReadyCommand(t *testing.T) {
	dir := state(t)
	configure(t, dir, "terminals: :9444\nnames: [console.example]\n")
	code, out, errs := words(t, "token", "--state", dir, "--note", "総務課")
	want := regexp.MustCompile(`^([A-Z2-7]{26})\n\nsekisho-agent install --server https://console\.example:9444 --token ([A-Z2-7]{26}) --fingerprint [0-9a-f]{64}\nmsiexec /i sekisho-agent_development_windows_amd64\.msi /qn SERVER=https://console\.example:9444 TOKEN=[A-Z2-7]{26} FINGERPRINT=[0-9a-f]{64}\n$`)
	if m := want.FindStringSubmatch(out); code != exitOK || m == nil || m[1] != m[2] {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	for _, bad := range [][]string{{"--group", "nowhere"}, {"--valid", "-1h"}, {"--valid", "9000h"}, {"--uses", "0"}, {"--uses", "1001"}} {
		if code, out, errs := words(t, append([]string{"token", "--state", dir}, bad...)...); code != exitFault || out != "" || errs == "" {
			t.Errorf("%v: %d %q %q", bad, code, out, errs)
		}
	}
}

func TestASetupLinkIsMadeWhileThereIsNoAdministrator(t *testing.T) {
	code, out, _ := words(t, "setup", "--state", state(t))
	if code != exitOK || !strings.HasPrefix(out, "https://console.example:0/setup/") {
		t.Fatalf("%d %q", code, out)
	}
}

func TestABackupIsWrittenOnceAndNeverOverAFile(t *testing.T) {
	dir := state(t)
	to := filepath.Join(t.TempDir(), "copy.db")
	if code, out, errs := words(t, "backup", "--state", dir, to); code != exitOK || !strings.Contains(out, to) {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	if code, _, errs := words(t, "backup", "--state", dir, to); code != exitFault || !strings.Contains(errs, "→") {
		t.Fatalf("over a file: %d %q", code, errs)
	}
}

func TestWhatIsWrongAtStartIsSaidWithWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	spoil := func(file, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, string)
		says  string
	}{
		"port in use":      {spoil("console.yaml", "people: 127.0.0.1:0\nterminals: "+taken.Addr().String()+"\n"), "cannot listen on"},
		"unknown setting":  {spoil("console.yaml", "peeple: :1\n"), "cannot read configuration"},
		"bad address":      {spoil("console.yaml", "people: nonsense\n"), "cannot use configuration"},
		"bad zone":         {spoil("console.yaml", "time_zone: Asia/Nowhere\n"), "cannot use configuration"},
		"damaged CA key":   {spoil("ca.key", "damaged"), "cannot open the certificate authority"},
		"damaged key":      {spoil("policy.key", "damaged"), "cannot read the policy key"},
		"damaged database": {spoil("console.db", strings.Repeat("damaged ", 100)), "the file is damaged"},
	} {
		dir := state(t)
		c.spoil(t, dir)
		code, _, errs := words(t, "serve", "--state", dir)
		if code != exitFault || !strings.Contains(errs, c.says) || !strings.Contains(errs, "→") {
			t.Errorf("%s: %d %q", name, code, errs)
		}
	}
}

func TestOtherKeysThanTheTerminalsKnowAreRefusedAtStart(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"policy key lost": func(dir string) error { return os.Remove(filepath.Join(dir, "policy.key")) },
		"CA lost": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "ca.key")), os.Remove(filepath.Join(dir, "ca.crt")))
		},
		"database of another console": func(dir string) error {
			other := state(t)
			if code, _, errs := words(t, "token", "--state", other); code != exitOK {
				return errors.New(errs)
			}
			return os.Rename(filepath.Join(other, "console.db"), filepath.Join(dir, "console.db"))
		},
	} {
		dir := state(t)
		if code, _, errs := words(t, "token", "--state", dir); code != exitOK {
			t.Fatal(errs)
		}
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if code, _, errs := words(t, "token", "--state", dir); code != exitFault || !strings.Contains(errs, "the terminals of this database know others") || !strings.Contains(errs, "→") {
				t.Errorf("%s: %d %q", name, code, errs)
			}
		}
	}
}

func TestAnEmptyDatabaseBesideOldKeysIsRefused(t *testing.T) {
	dir := state(t)
	if _, err := agentapi.OpenCA(dir, time.Now().AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := words(t, "token", "--state", dir); code != exitFault || !strings.Contains(errs, "it is new or empty") || !strings.Contains(errs, "restore the newest backup") {
		t.Errorf("%d %q", code, errs)
	}
}

func TestADamagedPageOfTheDatabaseIsSaidWithItsNameAndWhatToDo(t *testing.T) {
	dir := state(t)
	if code, _, errs := words(t, "token", "--state", dir); code != exitOK {
		t.Fatal(errs)
	}
	path := filepath.Join(dir, "console.db")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[4096:]) // the schema on the first page is whole, everything else is gone
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := words(t, "token", "--state", dir); code != exitFault || !strings.Contains(errs, path) || !strings.Contains(errs, "→") {
		t.Errorf("%d %q", code, errs)
	}
}

func TestAPanicIsLoudInTheLogAndABrokenConnectionIsNot(t *testing.T) {
	var b bytes.Buffer
	q := quiet{zerolog.New(&b).Level(zerolog.InfoLevel)}
	q.Write([]byte("http: TLS handshake error from 192.0.2.1:5: EOF"))
	q.Write([]byte("http2: panic serving 192.0.2.1:5: oops"))
	if got := b.String(); strings.Contains(got, "EOF") || !strings.Contains(got, `"level":"error"`) || !strings.Contains(got, "oops") {
		t.Errorf("%s", got)
	}
}

func TestAStateFolderThatCannotBeMadeIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := words(t, "serve", "--state", filepath.Join(file, "state"))
	if code != exitFault || !strings.Contains(errs, "cannot make the state folder") {
		t.Fatalf("%d %q", code, errs)
	}
}

// lines hands over what a running command writes.
type lines struct{ to chan string }

func (l lines) Write(b []byte) (int, error) {
	l.to <- string(b)
	return len(b), nil
}

func TestTheConsoleServesBothListenersAndStopsWhenTold(t *testing.T) {
	dir := state(t)
	people, terminals := freePort(t), freePort(t)
	configure(t, dir, "people: "+people+"\nterminals: "+terminals+"\nnames: [127.0.0.1]\n")
	ctx, stop := context.WithCancel(t.Context())
	out, ended := lines{make(chan string, 100)}, make(chan int, 1)
	go func() { ended <- run(ctx, []string{"serve", "--state", dir}, strings.NewReader(""), out, out) }()
	greeting := <-out.to
	link, err := os.ReadFile(filepath.Join(dir, setupFile))
	if err != nil || !strings.HasPrefix(string(link), "https://"+people+"/setup/") || strings.Contains(greeting, "/setup/") || !strings.Contains(greeting, setupFile) {
		t.Fatalf("it said %q, the link is %q, %v", greeting, link, err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 30 * time.Second}
	for address, want := range map[string]int{people + "/login": http.StatusOK, terminals + "/agent/v1/policy": http.StatusUnauthorized} {
		res, err := client.Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s answered %d", address, res.StatusCode)
		}
	}
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("ended with %d", code)
	}
	for _, secret := range []string{"policy.key", setupFile} {
		forOneself(t, filepath.Join(dir, secret))
	}
}

func TestALinkThatSetupHasShownOutlivesARestart(t *testing.T) {
	dir := state(t)
	_, out, _ := words(t, "setup", "--state", dir)
	link, _, _ := strings.Cut(out, "\n")
	_, secret, _ := strings.Cut(link, setupPath)
	h, err := openAll(t.Context(), call{state: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	now := time.Now()
	if again, err := h.openSetupLink(t.Context(), now); again != link || err != nil {
		t.Errorf("it was %q and is %q, %v", link, again, err)
	}
	other, err := h.openSetupLink(t.Context(), now.Add(setupLife)) // it is over: another one
	if err != nil || other == link || !strings.Contains(other, setupPath) {
		t.Errorf("after its end %q, %v", other, err)
	}
	if err := h.db.SetupOpen(t.Context(), sha256.Sum256([]byte(secret)), now); err == nil {
		t.Error("the link before can be used too")
	}
}

func TestTwoWhoOpenANewFolderAtTheSameTimeAgreeOnItsKeys(t *testing.T) {
	dir := state(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			var o, e bytes.Buffer
			if code := run(t.Context(), []string{"token", "--state", dir}, strings.NewReader(""), &o, &e); code != exitOK {
				t.Errorf("%d %s", code, e.String())
			}
		})
	}
	all.Wait()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
