package local

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// openDoor is a channel whose visitors are answered with what they say.
func openDoor(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "利用者 共有", "agent.json")
	l, err := listenLoopback(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
		}
	}()
	return path
}

func TestWhoReadsTheFileIsAnswered(t *testing.T) {
	path := openDoor(t)
	conn, err := dialLoopback(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("関所\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len("関所\n"))
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "関所\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestAStrangerIsToldNothing(t *testing.T) {
	a, err := readAddress(openDoor(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{
		strings.Repeat("0", greeting-1) + "\n", a.Token[:2*secretSize-1] + "g" + secret() + "\n", strings.ToUpper(a.Token) + secret() + "\n",
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nCookie: " + strings.Repeat("x", greeting) + "\r\n\r\n",
	} {
		conn, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(conn); len(b) != 0 {
			t.Errorf("%q was answered with %q", said, b)
		}
		conn.Close()
	}
}

func TestAProgramThatTookTheAgentsPortIsNotBelieved(t *testing.T) {
	path := openDoor(t)
	a, err := readAddress(path)
	if err != nil {
		t.Fatal(err)
	}
	// The impostor knows the token, as every user does, but has a key of its own.
	another := openDoor(t)
	other, err := readAddress(another)
	if err != nil {
		t.Fatal(err)
	}
	a.Port = other.Port
	rewrite(t, path, a)
	if _, err := dialLoopback(t.Context(), path); !errors.Is(err, errImpostor) {
		t.Errorf("%v", err)
	}
	a.Token = other.Token
	rewrite(t, path, a)
	if _, err := dialLoopback(t.Context(), path); !errors.Is(err, errImpostor) {
		t.Errorf("%v", err)
	}
}

func rewrite(t *testing.T, path string, a address) {
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasReadOnceIsWorthNothingAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.json")
	var tokens []string
	for range 2 {
		l, err := listenLoopback(path)
		if err != nil {
			t.Fatal(err)
		}
		a, err := readAddress(path)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, a.Token+a.Key)
		l.Close()
		if _, err := dialLoopback(context.Background(), path); err == nil {
			t.Error("nobody listens any more")
		}
	}
	if tokens[0] == tokens[1] {
		t.Error("the same secrets twice")
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{`{"port":1,"token":"00","key":"00"}`, `{`, ``, `[]`, `null`, `{"port":-1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := parseAddress(raw)
		if err == nil && (len(a.public()) != 32 || len(a.Token) != 2*secretSize || a.Port < 1 || a.Port > 65535) {
			t.Errorf("%q: %+v", raw, a)
		}
	})
}
