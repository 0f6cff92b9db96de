package health

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const debStatus = `Package: openssl
Status: install ok installed
Architecture: amd64
Version: 3.0.15-1~deb12u1

Package: libc6
Status: hold ok installed
Architecture: amd64
Version: 2.36-9+deb12u10

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
`

func TestFlavoursOfKernels(t *testing.T) {
	for release, want := range map[string]string{"6.1.0-13-amd64": "amd64", "6.8.0-45-generic": "generic", "5.14.0-427.13.1.el9_4.x86_64": "x86_64", "6.12.9+bpo-amd64": "amd64", "6.1": ""} {
		if got := flavour(release); got != want {
			t.Errorf("%s: %q", release, got)
		}
	}
}

func TestAdvisoriesOfBothDnfs(t *testing.T) {
	for text, want := range map[string]string{
		"RHSA-2026:1234 Important/Sec. openssl-1:3.0.7-25.el9_3.x86_64\nRHSA-2026:1234 Important/Sec. openssl-1:3.0.7-25.el9_3.x86_64\n": "[RHSA-2026:1234 openssl-1:3.0.7-25.el9_3.x86_64]",
		"Name Type Severity Package Issued\nFEDORA-2026-0f1 security Moderate vim-2:9.1-1.fc40.x86_64 2026-11-01 00:00:00\n":             "[FEDORA-2026-0f1 vim-2:9.1-1.fc40.x86_64]",
		"Updating and loading repositories:\n": "[]",
	} {
		if got := fmt.Sprint(parseAdvisories(text)); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestALongListIsReadInPieces(t *testing.T) {
	var b bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&b, "Package: p%d\nArchitecture: all\nVersion: %d\nX: %s\n\n", i, i, strings.Repeat("y", i*15))
	}
	n := 0
	if err := stanzas(iotest.HalfReader(&b), func(s *stanza) {
		if s.name != fmt.Sprintf("p%d", n) || s.version != fmt.Sprint(n) {
			t.Fatalf("%+v at %d", s, n)
		}
		n++
	}); err != nil || n != 2000 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestAMessageThatIsCutShortIsAnError(t *testing.T) {
	var n netState
	for _, b := range [][]byte{{40, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {20, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, {16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
		if messages(b, n.take) == nil {
			t.Errorf("%v", b)
		}
	}
}
func TestAFirewallIsRulesAndNotAUnit(t *testing.T) {
	chain := func(family, hook, policy string) string {
		return `{"chain":{"family":"` + family + `","table":"t","name":"in","hook":"` + hook + `","policy":"` + policy + `"}}`
	}
	rule := func(chain, expr string) string {
		return `{"rule":{"family":"inet","table":"t","chain":"` + chain + `","expr":[` + expr + `]}}`
	}
	for _, c := range []struct {
		text      string
		four, six bool
	}{
		{`{"nftables":[]}`, false, false},
		{`{"nftables":[` + chain("inet", "input", "accept") + `]}`, false, false},
		{`{"nftables":[` + chain("inet", "input", "drop") + `]}`, true, true},
		{`{"nftables":[` + chain("ip", "input", "drop") + `]}`, true, false},
		{`{"nftables":[` + chain("ip6", "input", "drop") + `]}`, false, true},
		{`{"nftables":[` + chain("inet", "forward", "drop") + `]}`, false, false},
		{`{"nftables":[` + chain("inet", "input", "accept") + `,` + rule("in", `{"match":{}},{"drop":null}`) + `]}`, true, true},
		{`{"nftables":[` + chain("inet", "input", "accept") + `,` + rule("in", `{"jump":{"target":"x"}}`) + `,` + rule("x", `{"reject":{"type":"tcp reset"}}`) + `]}`, true, true},
		{`{"nftables":[` + chain("inet", "input", "accept") + `,` + rule("in", `{"jump":{"target":"in"}}`) + `]}`, false, false},
		{`{"nftables":[` + chain("inet", "input", "accept") + `,` + rule("elsewhere", `{"drop":null}`) + `]}`, false, false},
	} {
		four, six, err := nftFilters([]byte(c.text))
		if err != nil || four != c.four || six != c.six {
			t.Errorf("%s: %v %v %v", c.text, four, six, err)
		}
	}
	if _, _, err := nftFilters([]byte(`{"nftables":[{"chain"`)); err == nil {
		t.Error("half an answer was believed")
	}
	for text, want := range map[string]bool{
		"*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n": false, "*filter\n:INPUT DROP [0:0]\nCOMMIT\n": true,
		":INPUT ACCEPT [0:0]\n-A INPUT -j ufw-in\n-A ufw-in -p tcp -j DROP\n": true, ":INPUT ACCEPT [0:0]\n-A FORWARD -j DROP\n": false,
	} {
		if iptablesFilters(text) != want {
			t.Errorf("%q", text)
		}
	}
}

func answer80211(kind uint16, attrs ...[]byte) []byte {
	body := make([]byte, headerSize+genHeader)
	for _, a := range attrs {
		for body = append(body, a...); len(body)%4 != 0; {
			body = append(body, 0)
		}
	}
	binary.NativeEndian.PutUint32(body, uint32(len(body)))
	binary.NativeEndian.PutUint16(body[4:], kind)
	return body
}

func attr(kind uint16, value ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	return append(binary.NativeEndian.AppendUint16(b, kind), value...)
}

func TestWirelessNetworksAreNamed(t *testing.T) {
	id, err := familyID(answer80211(genControl, attr(genFamilyID, binary.NativeEndian.AppendUint16(nil, 33)...)))
	if err != nil || id != 33 {
		t.Fatal(id, err)
	}
	names := map[int]string{}
	index := func(n uint32) []byte { return attr(wifiIndex, binary.NativeEndian.AppendUint32(nil, n)...) }
	b := answer80211(33, index(4), attr(wifiName, []byte("庁内無線")...))
	b = append(b, answer80211(33, index(5), attr(wifiName, 0, 0xff))...)
	b = append(b, answer80211(33, index(6))...)
	if err := networkNames(33, b, names); err != nil || names[4] != "庁内無線" || names[5] != "0x00ff" || len(names) != 2 {
		t.Errorf("%v %v", names, err)
	}
	if q := genQuestion(33, flagDump, wifiGetInterface, 0, nil); len(q) != 20 || q[4] != 33 || q[16] != wifiGetInterface {
		t.Errorf("%v", q)
	}
}

func FuzzLists(f *testing.F) {
	f.Add([]byte(debStatus))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = stanzas(bytes.NewReader(b), func(*stanza) {})
		parseRelease(b)
		parseAdvisories(string(b))
		_, _ = parseSupport(b)
		_, _, _ = nftFilters(b)
		parseLastlog(b, map[int]time.Time{})
		parseWtmp(b, map[string]time.Time{})
		var n netState
		_ = messages(b, n.take)
		_, _ = familyID(b)
		_ = networkNames(33, b, map[int]string{})
	})
}
