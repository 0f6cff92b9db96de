package web

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/bundle"
	"sekisho/internal/seal"
	"sekisho/internal/wire"
)

// releaser is who builds releases; its key is not the console's.
var releaser = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))

// shelf checks bundles as the depot does, and keeps nothing.
type shelf struct {
	keys    map[string][]byte
	cleared [][]bundle.Manifest
}

func newShelf() *shelf {
	public := releaser.Public().(ed25519.PublicKey)
	return &shelf{keys: map[string][]byte{seal.KeyID(public): public}}
}

func (s *shelf) Take(r io.Reader) (bundle.Manifest, seal.Envelope, error) {
	b, err := bundle.Read(r, s.keys)
	for err == nil {
		_, _, err = b.Next()
	}
	if err != io.EOF {
		return bundle.Manifest{}, seal.Envelope{}, err
	}
	return b.Manifest, b.Envelope, nil
}

func (s *shelf) Clear(keep []bundle.Manifest, _ time.Time) error {
	s.cleared = append(s.cleared, keep)
	return nil
}

// packed is a signed bundle with an agent for Linux.
func packed(t testing.TB, key ed25519.PrivateKey, version, program string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(program))
	m := bundle.Manifest{Format: bundle.Format, Version: version, MadeAt: noon,
		Programs: []bundle.Program{{OS: "linux", Arch: "amd64", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(program))}}}
	var b bytes.Buffer
	if err := bundle.Write(&b, key, m, func(int) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(program)), nil }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload sends a file as the page's form does.
func (b *browser) upload(path, field string, raw []byte) answer {
	b.s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile(field, "sekisho-update.skb")
	b.s.must(err)
	part.Write(raw)
	b.s.must(form.Close())
	req, err := http.NewRequest("POST", b.s.URL+path, &body)
	b.s.must(err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := b.c.Do(req)
	b.s.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.s.must(err)
	return answer{resp, string(text)}
}

// release puts a release into the store, as an upload does.
func (s *site) release(version string) {
	s.t.Helper()
	m, e, err := newShelf().Take(bytes.NewReader(packed(s.t, releaser, version, "agent "+version)))
	s.must(err)
	s.must(s.db.PutUpdate(context.Background(), store.Update{Version: m.Version, Manifest: m, Envelope: e, By: "1007"}, s.now))
}

// offers gives a full console a release that the pilots have and did not all take.
func (s *site) offers(f fleet) {
	s.t.Helper()
	ctx := context.Background()
	s.release("0.2.0")
	s.release("0.3.0")
	s.must(s.db.SetRing(ctx, f.desk, store.RingPilot, "1007", s.now))
	o, err := s.db.PutOffer(ctx, store.RingPilot, "0.2.0", "1007", s.now)
	s.must(err)
	t, err := s.db.Terminal(ctx, f.desk)
	s.must(err)
	st := t.Status
	st.Updates = true
	st.Update = &wire.Update{Offer: o.ID, Version: "0.2.0", State: wire.UpdateRolledBack, Code: wire.ReasonSilent,
		Reason: "the new version did not report to the console within 10m0s", At: s.now}
	s.report(f.desk, &st)
}

func TestAReleaseIsCarriedInTriedAndOfferedToAll(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	ctx := context.Background()
	s.report(f.counter, &wire.Status{Agent: "0.1.0", Updates: true, Mode: "enforce", Gate: "shut"})
	b := s.as("1007")
	if a := b.upload("/updates", "bundle", packed(t, releaser, "0.4.0", strings.Repeat("agent", 2<<20))); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	b.get("/updates?done=added").wants(t, "取り込みました", "0.4.0", "linux/amd64", "10.5 MB")
	ask := b.get("/updates/offer?version=0.4.0&ring=all")
	ask.wants(t, "すべての端末へ配布しますか", "試行端末で、この版の入替えをまだ確かめていません", "KT-0123")
	before, err := s.db.Revision(ctx, f.counter)
	s.must(err)
	newest := between(t, ask.text, `name="newest" value="`, `"`)
	if a := b.post("/updates/offer", url.Values{"version": {"0.4.0"}, "ring": {"all"}, "newest": {newest}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if after, err := s.db.Revision(ctx, f.counter); err != nil || after != before+1 {
		t.Errorf("the terminal's policy is at %d after %d, %v", after, before, err)
	}
	if a := b.post("/updates/offer", url.Values{"version": {"0.4.0"}, "ring": {"all"}, "newest": {newest}}); a.StatusCode != http.StatusConflict {
		t.Errorf("an offer on an old preview: %d", a.StatusCode)
	}
	b.get("/updates?only=offered").wants(t, "KT-0123", "配布待ち", "→ 0.4.0")
	s.report(f.counter, &wire.Status{Agent: "0.4.0", Updates: true, Mode: "enforce", Gate: "shut"})
	b.get("/updates?only=installed").wants(t, "KT-0123", "入替え済み")
	b.get("/records").wants(t, "更新ファイルの取込み", "更新の配布", "すべての端末")
}

func TestABadBundleIsRefusedInWordsAndChangesNothing(t *testing.T) {
	s := newSite(t, nil)
	b := s.as("1007")
	whole := packed(t, releaser, "0.4.0", "agent")
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	for name, c := range map[string]struct {
		raw  []byte
		says string
	}{
		"cut": {whole[:len(whole)-1], "途中で切れています"}, "another key": {packed(t, stranger, "9", "evil"), "署名を確かめられません"},
		"bent": {append(bytes.Clone(whole[:len(whole)-1]), 'x'), "署名された内容と違います"}, "no bundle": {[]byte("PK…"), "更新ファイルではありません"},
	} {
		a := b.upload("/updates", "bundle", c.raw)
		if a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		a.wants(t, c.says)
	}
	if a := b.upload("/updates", "other", whole); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no file at all: %d", a.StatusCode)
	}
	if a := b.post("/updates", url.Values{"bundle": {"x"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("another form: %d", a.StatusCode)
	}
	b.upload("/updates", "bundle", whole)
	b.upload("/updates", "bundle", packed(t, releaser, "0.4.0", "another")).wants(t, "同じ版で内容の違う")
	if list, err := s.db.Updates(context.Background()); err != nil || len(list) != 1 {
		t.Errorf("%d releases, %v", len(list), err)
	}
}

func TestAnOfferIsStoppedAndItsFileRemoved(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	b.get("/updates").wants(t, "前の版に戻した", "新しい版が10分以内にコンソールと通信できませんでした")
	b.get("/terminals/"+f.desk).wants(t, "更新 0.2.0", "前の版に戻した")
	if a := b.post("/updates/remove", url.Values{"version": {"0.2.0"}}); a.StatusCode != http.StatusConflict {
		t.Errorf("what is offered was removed: %d", a.StatusCode)
	}
	b.get("/updates/offers/1/withdraw").wants(t, "0.2.0 の配布を中止しますか")
	if a := b.post("/updates/offers/1/withdraw", url.Values{}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("%d", a.StatusCode)
	}
	if a := b.post("/updates/offers/1/withdraw", url.Values{}); a.StatusCode != http.StatusNotFound {
		t.Errorf("twice: %d", a.StatusCode)
	}
	b.get("/updates").wants(t, "配布していません")
	if a := b.post("/updates/remove", url.Values{"version": {"0.2.0"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("%d", a.StatusCode)
	}
}

func TestOnlyAnAdministratorOffers(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	for _, name := range []string{"1012", "1020"} {
		b := s.as(name)
		if a := b.get("/updates"); a.StatusCode != http.StatusOK || strings.Contains(a.text, `action="/updates`) || strings.Contains(a.text, "/updates/offer") {
			t.Errorf("%s: %d, or a button that is not theirs", name, a.StatusCode)
		}
		if a := b.upload("/updates", "bundle", packed(t, releaser, "0.4.0", "agent")); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s carries in: %d", name, a.StatusCode)
		}
		for path, form := range map[string]url.Values{
			"/updates/offer": {"version": {"0.2.0"}, "ring": {"all"}}, "/updates/offers/1/withdraw": {}, "/updates/remove": {"version": {"0.3.0"}},
			"/updates/ring": {"terminal": {f.counter}, "ring": {"pilot"}},
		} {
			if a := b.post(path, form); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s posts %s: %d", name, path, a.StatusCode)
			}
		}
	}
}

func TestATerminalBecomesAPilotAndIsNoneAgain(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	b := s.as("1007")
	for _, ring := range []string{"pilot", "all"} {
		if a := b.post("/updates/ring", url.Values{"terminal": {f.counter}, "ring": {ring}}); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", ring, a.StatusCode)
		}
		pilots, err := s.db.Pilots(context.Background())
		if err != nil || pilots[f.counter] != (ring == "pilot") {
			t.Errorf("%s: %v, %v", ring, pilots, err)
		}
	}
	if a := b.post("/updates/ring", url.Values{"terminal": {"nobody"}, "ring": {"pilot"}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("a terminal that is not there: %d", a.StatusCode)
	}
}

func TestWhatWillBecomeOfAReleaseIsSaidForEveryKindOfTerminal(t *testing.T) {
	var m bundle.Manifest
	_ = json.Unmarshal([]byte(`{"programs":[{"os":"linux","arch":"amd64"}]}`), &m)
	f := updateFacts{releases: []store.Update{{Version: "1.1", Manifest: m}}}
	terminal := func(agent, arch string, updates bool) store.Terminal {
		return store.Terminal{Agent: agent, OS: "linux", Arch: arch, Status: wire.Status{Updates: updates}}
	}
	for want, t1 := range map[string]store.Terminal{
		updateOffered: terminal("1.0", "amd64", true), wire.UpdateInstalled: terminal("1.1", "amd64", true), updateNewer: terminal("1.2", "amd64", true),
		updateManual: terminal("1.0", "amd64", false), updateForeign: terminal("1.0", "riscv64", true),
	} {
		if got := f.outlook(t1, "1.1"); got != want {
			t.Errorf("%+v: %s, not %s", t1, got, want)
		}
	}
}

// between gives what stands between two words of a page.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	found, _, also := strings.Cut(rest, to)
	if !ok || !also {
		t.Fatalf("%q is not on the page", from)
	}
	return found
}

func TestARolledBackUpdateIsAmongTheViolationsInWords(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	s.terminal("t-new", "KT-0200", f.group)
	j := newJournal()
	j.add(wire.Record{Kind: wire.RecordAgent, Code: wire.CodeUpdateStarted, At: s.now, Note: "0.1.0 → 0.2.0"})
	j.add(wire.Record{Kind: wire.RecordAgent, Code: wire.CodeUpdateRolledBack, At: s.now, Note: "0.2.0: the new version died 5 times"})
	j.add(wire.Record{Kind: wire.RecordAgent, Code: wire.CodeUpdateRefused, At: s.now, Note: "0.0.1: cannot install"})
	s.send("t-new", j, nil)
	b := s.as("1007")
	b.get("/violations?terminal=t-new").wants(t, "エージェントの更新に失敗し、前の版に戻しました", "エージェントの更新を受け付けませんでした")
	b.get("/terminals/t-new").wants(t, "エージェントの更新を始めました")
	list, err := s.db.Events(context.Background(), store.EventFilter{Violations: true, Terminal: "t-new"})
	s.must(err)
	for _, e := range list {
		b.get("/violations/"+strconv.FormatInt(e.ID, 10)).wants(t, "エージェント", "0.")
	}
}
