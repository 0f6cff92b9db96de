package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func header(s string) []byte { return fmt.Appendf(nil, "%-512s", s) }

func clamHeader() []byte {
	return header("ClamAV-VDB:26 Nov 2026 09-25 +0900:27832:2075:90:X:X:builder:1795651200")
}

func TestAClamAVHeaderIsReadAndOneThatIsCutShortIsNot(t *testing.T) {
	p := Place{Kind: PlaceHeader, Size: 512, Separator: ":", Begin: "ClamAV-VDB:", Field: 8}
	if r := p.Cut(clamHeader()); r.Text != "1795651200" {
		t.Errorf("%+v", r)
	}
	p.Field = 1
	if r := p.Cut(clamHeader()); r.Text != "26 Nov 2026 09-25 +0900" {
		t.Errorf("%+v", r)
	}
	for what, text := range map[string][]byte{
		"empty": nil, "cut short": clamHeader()[:511], "of something else": header("MZ"), "without the field": header("ClamAV-VDB:"),
	} {
		if r := p.Cut(text); r.Code == "" && r.Text != "" {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

func TestAnExpressionThatWouldTakeLongIsRefused(t *testing.T) {
	for _, s := range []string{"", "(", `(a{900}){2}`, `((a?){30}){30}`, strings.Repeat("x", 600), `(\pL{1000})`} {
		if _, err := expression(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	began := time.Now()
	p := Place{Kind: PlaceFile, Match: `(?i)((a*)*)*b(x)`}
	if r := p.Cut([]byte(strings.Repeat("a", 10<<20))); r.Code != CodeTooLong {
		t.Errorf("%+v", r)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAValueIsFoundInWords(t *testing.T) {
	p := Place{Kind: PlaceCommand, Match: `EM002\s+\d+\s+\((\d{8})\)`}
	if r := p.Cut([]byte("EM001 1 (20200101) x\nEM002 28471 (20261126) 検出エンジン\n")); r.Text != "20261126" {
		t.Errorf("%+v", r)
	}
	if r := p.Cut([]byte("nothing")); r.Code != CodeMissing {
		t.Errorf("%+v", r)
	}
	mdatp := Place{Kind: PlaceCommand, Match: linuxProbes()[1].Facts[1].Place[0].Match}
	for _, text := range []string{`{"realTimeProtectionEnabled" : true}`, "{\"realTimeProtectionEnabled\": {\n \"$type\": \"x\",\n \"value\": true}}"} {
		if r := mdatp.Cut([]byte(text)); r.Text != "true" {
			t.Errorf("%s: %+v", text, r)
		}
	}
}
