package policy

import (
	"strings"
	"testing"
)

func TestAProgramIsDescribedByWhatFitsItsKind(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		p    Program
		want string
	}{
		"a file":                     {Program{Kind: ProgramFile, Name: "x", Path: "/tmp/x", Hash: hash}, "hash path"},
		"a file nobody could read":   {Program{Kind: ProgramFile, Name: "x", Path: "/tmp/x"}, "path"},
		"a package of a repository":  {Program{Kind: ProgramDeb, Name: "curl", Publisher: "Debian", Source: SourceRepository}, "package publisher"},
		"a package somebody brought": {Program{Kind: ProgramDeb, Name: "zoom", Publisher: "Zoom", Source: SourceLocal}, "publisher"},
		"without a publisher":        {Program{Kind: ProgramMSI, Name: "Tool", Source: SourceLocal}, "package"},
		"signed":                     {Program{Kind: ProgramMSIX, Name: "App", Signer: "CN=Vendor", Publisher: "Vendor", Source: SourceStore}, "signer package publisher"},
		"a name that is a pattern":   {Program{Kind: ProgramApp, Name: "*", Publisher: "V"}, ""},
	} {
		var got []string
		for _, w := range Ways(c.p) {
			got = append(got, w.Key)
			if !w.Match.Matches("any", c.p) {
				t.Errorf("%s: %s does not describe it", name, w.Key)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q instead of %q", name, s, c.want)
		}
	}
}

func TestAPermissionNamesOneFileOrOneVersion(t *testing.T) {
	p := Program{Kind: ProgramMSI, Name: "Tool", Publisher: "V", Version: "2.0", Hash: strings.Repeat("ab", 32)}
	ways := PermitWays(p)
	if len(ways) != 2 || ways[0].Key != WayHash || ways[1].Key != WayVersion {
		t.Fatalf("%+v", ways)
	}
	p.Version, p.Hash = "2.1", strings.Repeat("cd", 32)
	for _, w := range ways {
		if w.Match.Matches("", p) {
			t.Errorf("%s lets another one in", w.Key)
		}
	}
	if got := PermitWays(Program{Kind: ProgramApp, Name: "T"}); len(got) != 0 {
		t.Errorf("neither file nor version is known: %+v", got)
	}
}
