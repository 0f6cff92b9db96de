package link

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// fetching is a link to a console that answers a question for a program like this.
func fetching(t *testing.T, blob http.HandlerFunc) *Link {
	t.Helper()
	c, dir := newConsole(t), t.TempDir()
	c.blob = blob
	return must(New(Options{URL: c.url(), Dir: dir, Identity: c.enrolled(t, dir), Queue: newQueue(), Log: zerolog.Nop()}))
}

func TestAProgramComesWholeOrFromAByteOn(t *testing.T) {
	l := fetching(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
	})
	for from, want := range map[int64]string{0: "0123456789", 7: "789"} {
		body := must(l.Blob(t.Context(), "program", from))
		if text := string(must(io.ReadAll(body))); text != want {
			t.Errorf("from %d on: %q", from, text)
		}
		body.Close()
	}
	if _, err := l.Blob(t.Context(), "program", 10); err == nil {
		t.Error("behind the end something came")
	}
}

func TestWhatTheConsoleSaysInsteadOfAProgramIsSaid(t *testing.T) {
	l := fetching(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"error": "cannot send now", "hint": "come again"}`)
	})
	_, err := l.Blob(t.Context(), "program", 0)
	if err == nil || !strings.Contains(err.Error(), "cannot send now (come again)") || Busy(err) != 30*time.Second {
		t.Errorf("%v, wait %v", err, Busy(err))
	}
	if Busy(context.Canceled) != 0 {
		t.Error("an error of another kind asks to wait")
	}
}

func TestAConsoleThatIgnoresTheRangeIsNotBelieved(t *testing.T) {
	l := fetching(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "0123456789") })
	if _, err := l.Blob(t.Context(), "program", 7); err == nil {
		t.Error("the beginning was taken for the rest")
	}
}

func TestADownloadThatStandsStillIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		_, cancel := context.WithCancel(t.Context())
		b := &blob{r, time.AfterFunc(stall, func() { w.CloseWithError(context.Canceled) }), cancel}
		defer b.Close()
		go func() {
			for range 3 {
				time.Sleep(stall - time.Second)
				w.Write([]byte("x"))
			}
		}()
		text, err := io.ReadAll(b)
		if string(text) != "xxx" || err == nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}
