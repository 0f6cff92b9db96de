package web

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
)

// rack names what it is given, and keeps nothing.
type rack struct{}

func (rack) Put(text []byte) (string, error) {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// bring sends a file with its fields as the page's form does.
func (b *browser) bring(path string, fields url.Values, file []byte) answer {
	b.s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k := range fields {
		b.s.must(form.WriteField(k, fields.Get(k)))
	}
	part, err := form.CreateFormFile("file", "baseline.json")
	b.s.must(err)
	part.Write(file)
	b.s.must(form.Close())
	req, err := http.NewRequest("POST", b.s.URL+path, &body)
	b.s.must(err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := b.c.Do(req)
	b.s.must(err)
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	b.s.must(err)
	return answer{resp, text.String()}
}

var publisher = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

const november = `{"kind":"baseline","name":"Windows","month":"2026-11","made_at":"2026-11-12T00:00:00Z","builds":[{"build":26100,"installation":"client","revision":7171,"released":"2026-11-10","kind":"security","kb":"KB5068861"}]}`

func signed(key ed25519.PrivateKey, text string) []byte {
	b, err := json.Marshal(seal.SignReference(key, []byte(text)))
	if err != nil {
		panic(err)
	}
	return b
}

func (s *site) inUse() []store.Reference {
	s.t.Helper()
	now, _, err := s.db.References(context.Background())
	s.must(err)
	return now
}

func TestABaselineIsTakenWholeOrRefusedWithClearWords(t *testing.T) {
	s := newSite(t, nil)
	s.fill()
	b := s.as("1007")
	broken := signed(publisher, november)
	broken[bytes.Index(broken, []byte(`"payload":"`))+40] ^= 1
	cut := signed(publisher, november)
	for _, c := range []struct {
		what, want string
		fields     url.Values
		file       []byte
	}{
		{"nobody's key", "署名した人の鍵が登録されていません", nil, signed(publisher, november)},
		{"nothing", "ファイルを選んでください", nil, nil},
		{"another month", "ファイルは2026-11のものです(指定は2026-12)", url.Values{"month": {"2026-12"}}, []byte(november)},
		{"another kind", "選んだ種類と違います", url.Values{"kind": {"support"}}, []byte(november)},
		{"50 MB", "ファイルが大きすぎます。32 MBまでです", nil, bytes.Repeat([]byte("x"), 50<<20)},
		{"5 MB of a table", "ファイルが大きすぎます。4 MBまでです", url.Values{"name": {"x"}, "month": {"2026-11"}, "kind": {"support"}, "made": {"2026-11-12"}}, append([]byte(`{"a":"`), append(bytes.Repeat([]byte("x"), 5<<20), `"}`...)...)},
		{"no table", "基準ファイルとして読めません", url.Values{"kind": {"baseline"}, "name": {"x"}, "month": {"2026-11"}}, []byte("PK\x03\x04")},
		{"cut short", "途中で切れています", nil, cut[:len(cut)-20]},
		{"no month", "対象の月を", url.Values{"kind": {"baseline"}}, []byte(`{"name":"x"}`)},
		{"a table without builds", "基準ファイルに誤りがあります", nil, []byte(`{"kind":"baseline","name":"Windows","month":"2026-11","made_at":"2026-11-12T00:00:00Z","builds":[]}`)},
		{"lines with a mistake", "line 4", nil, []byte("sekisho-baseline 1\nmonth 2026-11\nmade 2026-11-12\n26100 client many 2026-11-10 security KB5068861\n")},
		{"of the future", "ありえません", nil, []byte(strings.Replace(november, "2026-11-12", "2031-11-12", 1))},
	} {
		a := b.bring(imports, c.fields, c.file)
		if a.StatusCode != http.StatusUnprocessableEntity || len(s.inUse()) > 0 {
			t.Errorf("%s: %d, %d in use", c.what, a.StatusCode, len(s.inUse()))
		}
		if !strings.Contains(a.text, c.want) && !(c.what == "5 MB of a table" && strings.Contains(a.text, "基準ファイルとして読めません")) {
			t.Errorf("%s: does not say %q", c.what, c.want)
		}
	}
	b.post("/health/references/keys", url.Values{"keys": {"not a key"}}).wants(t, "鍵として読めません")
	if a := b.post("/health/references/keys", url.Values{"keys": {base64.StdEncoding.EncodeToString(publisher.Public().(ed25519.PublicKey))}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("the key was not taken: %d", a.StatusCode)
	}
	if a := b.bring(imports, nil, broken); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a broken signature: %d", a.StatusCode)
	}
	if a := b.bring(imports, url.Values{"month": {"2026-11"}, "kind": {"baseline"}}, signed(publisher, november)); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("not imported: %d %s", a.StatusCode, a.text)
	}
	have := s.inUse()
	if len(have) != 1 || have[0].SignedBy == "" || have[0].Month != "2026-11" || have[0].Size != int64(len(november)) {
		t.Errorf("%+v", have)
	}
	b.get(imports).wants(t, "署名を確認", "Windows", "2026-11", "1007")
	if a := b.bring(imports, nil, []byte(strings.Replace(november, "-11-12T", "-11-02T", 1))); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an older one over a newer one: %d", a.StatusCode)
	}
	if a := b.bring(imports, url.Values{"kind": {"support"}, "name": {"サポート"}}, []byte(`{"made":"2026-11-01","systems":[{"id":"debian","version":"12","end":"2028-06-30"}]}`)); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a table of support as terminals read it: %d", a.StatusCode)
	}
	b.bring(imports, url.Values{"kind": {"support"}, "name": {"空"}}, []byte(`{"made":"2026-11-01","systems":[]}`)).wants(t, "基準ファイルとして読めません")
	lines := "sekisho-baseline 1\nmonth 2026-11\nmade R8.11.13\nfrom 情報係\n26100 client 7171 R8.11.10 security KB5068861\n"
	if a := b.bring(imports, nil, []byte(lines)); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a table of lines: %d", a.StatusCode)
	}
	b.bring(imports, url.Values{"kind": {"advisory"}, "name": {"Debian"}, "made": {"R8.11.20"}}, []byte("<oval/>"))
	b.get(imports).wants(t, "署名なし", "1007が取込み")
}

func TestTheNewestPatternOfTheLANBecomesTheReference(t *testing.T) {
	s := newSite(t, nil)
	s.fill()
	b := s.as("1007")
	b.get(imports).wants(t, "ClamAV", "R8.11.12 12:00", "KT-0123", "これを基準にする")
	if a := b.post("/health/references/adopt", url.Values{"probe": {"clamav"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("not taken: %d", a.StatusCode)
	}
	have := s.inUse()
	if len(have) != 1 || have[0].Kind != policy.ReferencePatterns || have[0].Product != "clamav" {
		t.Errorf("%+v", have)
	}
	b.get(imports).wants(t, "基準として使用中")
	if a := b.post("/health/references/1/end", url.Values{}); a.StatusCode != http.StatusSeeOther || len(s.inUse()) != 0 {
		t.Errorf("not ended: %d", a.StatusCode)
	}
	if a := b.post("/health/references/adopt", url.Values{"probe": {"nothing"}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("what nobody has: %d", a.StatusCode)
	}
}
