package local

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"sekisho/internal/wire"
)

// serve answers on a socket in a new folder until the test ends.
func serve(t *testing.T, log ...zerolog.Logger) string {
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "agent.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		Serve(ctx, l, func(Request) Answer { return Answer{Status: &wire.Status{Revision: 42}} }, append(log, zerolog.Nop())[0])
	})
	t.Cleanup(func() { cancel(); wg.Wait(); os.RemoveAll(dir) })
	return path
}

func TestTheStatusIsAnswered(t *testing.T) {
	path := serve(t)
	for range 3 * maxTalks {
		a, err := Ask(t.Context(), path, Request{Ask: AskStatus})
		if err != nil || a.Status == nil || a.Status.Revision != 42 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

func TestAQuestionThatNobodyKnowsIsRefusedInWords(t *testing.T) {
	_, err := Ask(t.Context(), serve(t), Request{Ask: "unlock everything"})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot answer") {
		t.Errorf("%v", err)
	}
}

func TestWhoSaysTooMuchIsNotListenedTo(t *testing.T) {
	path := serve(t)
	conn, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go conn.Write([]byte(strings.Repeat("x", 4*maxRequest))) // fails when the other side hangs up
	if b, _ := io.ReadAll(conn); len(b) != 0 {
		t.Errorf("the answer is %q", b)
	}
}

func TestASocketLeftByAKilledAgentIsReplaced(t *testing.T) {
	path := serve(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestAnAgentThatIsNotThereIsSaid(t *testing.T) {
	_, err := Ask(t.Context(), filepath.Join(t.TempDir(), "no.sock"), Request{Ask: AskStatus})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot reach the agent") {
		t.Errorf("%v", err)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{`{"ask":"status"}`, `{"ask":"cases"}`, `{"ask":"status"}{}`, `{"ask":"status","x":1}`, `{`, ``, `[]`, `"status"`, "{\"ask\":\"\x00\"}", `{"ask":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseRequest(line)
		if (err == nil) != (r.Ask == AskStatus || r.Ask == AskCases) {
			t.Errorf("%q: %+v, %v", line, r, err)
		}
	})
}

// page is a log that counts its lines.
type page struct {
	mu    sync.Mutex
	lines int
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines++
	return len(b), nil
}

func TestNobodyFillsTheLogWithQuestions(t *testing.T) {
	p := &page{}
	path := serve(t, zerolog.New(p))
	for range 3 * maxTalks {
		if _, err := Ask(t.Context(), path, Request{Ask: "nonsense"}); err == nil {
			t.Fatal("answered")
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines != 1 {
		t.Errorf("%d lines", p.lines)
	}
}
