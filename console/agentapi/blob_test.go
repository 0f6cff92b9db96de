package agentapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/console/store"
	"sekisho/internal/bundle"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// shelf is a folder of programs.
type shelf string

func (s shelf) Open(hash string) (*os.File, error) { return os.Open(filepath.Join(string(s), hash)) }

// offering is a console that offers one program to all, and that program's hash.
func offering(t *testing.T, text string) (c *console, hash string, offer store.Offer) {
	t.Helper()
	dir := t.TempDir()
	c = start(t, func(o *Options) { o.Blobs = shelf(dir) })
	sum := sha256.Sum256([]byte(text))
	hash = hex.EncodeToString(sum[:])
	must(t, os.WriteFile(filepath.Join(dir, hash), []byte(text), 0o600))
	m := bundle.Manifest{Format: bundle.Format, Version: "1.1", Programs: []bundle.Program{{OS: "linux", Arch: "amd64", SHA256: hash, Size: int64(len(text))}}}
	raw, err := json.Marshal(m)
	must(t, err)
	must(t, c.db.PutUpdate(t.Context(), store.Update{Version: "1.1", Manifest: m, Envelope: seal.Envelope{Key: "k", Payload: raw, Signature: []byte("s")}, By: "test"}, c.clock.now()))
	offer, err = c.db.PutOffer(t.Context(), store.RingAll, "1.1", "test", c.clock.now())
	must(t, err)
	return c, hash, offer
}

func (tm *terminal) blob(t *testing.T, hash, span string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tm.url+wire.PathBlob+hash, nil)
	must(t, err)
	if span != "" {
		req.Header.Set("Range", span)
	}
	res, err := tm.Do(req)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	if res.Header.Get(wire.HeaderTime) == "" {
		t.Error("the answer has no time")
	}
	return res.StatusCode, string(body)
}

func TestAProgramIsSentToWhomItIsOfferedAndItsRestToWhoWasCutOff(t *testing.T) {
	c, hash, offer := offering(t, "0123456789")
	tm := c.enrol(t)
	if code, text := tm.blob(t, hash, ""); code != http.StatusOK || text != "0123456789" {
		t.Errorf("%d %q", code, text)
	}
	if code, text := tm.blob(t, hash, "bytes=7-"); code != http.StatusPartialContent || text != "789" {
		t.Errorf("%d %q", code, text)
	}
	if code, _ := tm.blob(t, hash, "bytes=10-"); code != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("behind the end: %d", code)
	}
	must(t, c.db.WithdrawOffer(t.Context(), offer.ID, "test", c.clock.now()))
	if code, text := tm.blob(t, hash, ""); code != http.StatusNotFound || !strings.Contains(text, "withdrawn") {
		t.Errorf("withdrawn: %d %q", code, text)
	}
}

func TestNothingButWhatIsOfferedCanBeFetched(t *testing.T) {
	c, hash, _ := offering(t, "program")
	tm := c.enrol(t)
	for _, other := range []string{strings.Repeat("0", 64), strings.ToUpper(hash), "..%2fconsole.db", "x"} {
		if code, _ := tm.blob(t, other, ""); code != http.StatusNotFound {
			t.Errorf("%s: %d", other, code)
		}
	}
	res, err := c.client().Get(c.url + wire.PathBlob + hash)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a certificate: %d", res.StatusCode)
	}
}

func TestAProgramThatIsGoneIsAFaultOfTheConsole(t *testing.T) {
	c, hash, _ := offering(t, "program")
	c.api.Blobs = gone{}
	if code, _ := c.enrol(t).blob(t, hash, ""); code != http.StatusServiceUnavailable {
		t.Errorf("%d", code)
	}
}

type gone struct{}

func (gone) Open(string) (*os.File, error) { return nil, fs.ErrNotExist }

func TestWhoComesWhileOthersAreServedIsSentAwayForAWhile(t *testing.T) {
	c, hash, _ := offering(t, "program")
	tm := c.enrol(t)
	for range maxBlobs {
		c.api.blobs <- struct{}{}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tm.url+wire.PathBlob+hash, nil)
	must(t, err)
	res, err := tm.Do(req)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	<-c.api.blobs
	if code, _ := tm.blob(t, hash, ""); code != http.StatusOK {
		t.Errorf("afterwards: %d", code)
	}
	c.api.fetches.enter(tm.id)
	if code, _ := tm.blob(t, hash, ""); code != http.StatusTooManyRequests {
		t.Errorf("twice at the same time: %d", code)
	}
}
