package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// TestMain lets the service manager start this very program as the console: the service is a copy of it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// ask is a browser that does not know the console's CA.
func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		res, err := client.Get(url)
		if err != nil {
			last = err
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	t.Fatalf("%s does not answer: %v\n%s", url, last, logOf(t))
	return 0, ""
}

func logOf(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(defaultState, logName))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func stateOf(t *testing.T) svc.State {
	t.Helper()
	m, err := mgr.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Disconnect()
	s, err := m.OpenService(serviceName)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now, err := s.Query()
	if err != nil {
		t.Fatal(err)
	}
	return now.State
}

func good(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := words(t, args...)
	if code != exitOK {
		t.Fatalf("%v: %d %s %s\n%s", args, code, out, errs, logOf(t))
	}
	return out
}

func TestTheConsoleIsAServiceOfWindows(t *testing.T) {
	if err := os.RemoveAll(defaultState); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { words(t, "uninstall") })
	people, terminals := freePort(t), freePort(t)
	if err := makeState(defaultState); err != nil {
		t.Fatal(err)
	}
	configure(t, defaultState, "people: "+people+"\nterminals: "+terminals+"\n")
	if out := good(t, "setup", "--name", "127.0.0.1", "--contact", "情報係", "--yes"); !strings.HasPrefix(out, "https://"+people+"/setup/") {
		t.Fatalf("setup says %q", out)
	}
	for _, again := range []bool{false, true} { // the second one renews what is installed
		if out := good(t, "install"); !strings.Contains(out, `Program Files\SekishoConsole\sekisho-console.exe`) {
			t.Errorf("install (again: %v) says %q", again, out)
		}
		if code, page := ask(t, "https://"+people+"/login"); code != http.StatusOK || !strings.Contains(page, "<form") {
			t.Errorf("/login: %d %.200s", code, page)
		}
		if code, _ := ask(t, "https://"+terminals+"/agent/v1/policy"); code != http.StatusUnauthorized {
			t.Errorf("the terminals' listener answers %d", code)
		}
	}
	// The database is open in another process now.
	if out := good(t, "token", "--uses", "10", "--note", "一斉導入"); !strings.Contains(out, "SERVER=https://"+terminals) {
		t.Errorf("token says %q", out)
	}
	good(t, "backup", filepath.Join(t.TempDir(), "copy.db"))
	good(t, "verify")
	for range 2 { // the second one finds nothing to do
		good(t, "uninstall")
	}
	if now := stateOf(t); now != 0 {
		t.Errorf("the service is in state %d", now)
	}
	if log := logOf(t); strings.Count(log, "console is running") != 2 || strings.Count(log, "console is stopping") != 2 {
		t.Errorf("the log holds %s", log)
	}
	for _, kept := range []string{"console.db", "ca.key", "policy.key", "console.yaml"} {
		if _, err := os.Stat(filepath.Join(defaultState, kept)); err != nil {
			t.Error(err)
		}
	}
}

func TestAServiceThatCannotListenSaysWhyInItsLog(t *testing.T) {
	if err := os.RemoveAll(defaultState); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { words(t, "uninstall") })
	if err := makeState(defaultState); err != nil {
		t.Fatal(err)
	}
	configure(t, defaultState, "people: 192.0.2.77:1\nterminals: 127.0.0.1:0\nnames: [localhost]\n")
	words(t, "install") // Windows may have said "running" before the console could know
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && !strings.Contains(logOf(t), "→ check the address"); {
	}
	if log := logOf(t); !strings.Contains(log, "cannot listen on 192.0.2.77:1") || !strings.Contains(log, "→ check the address") {
		t.Errorf("the log holds %s", log)
	}
}
