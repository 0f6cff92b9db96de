package wire

import "testing"

func TestAPolicyTagComesBackAsItWasWritten(t *testing.T) {
	for _, tag := range []PolicyTag{{}, {Revision: 41}, TagOf(0, nil), TagOf(MaxRevision, []byte("x"))} {
		if got := ParsePolicyTag(tag.String()); got != tag {
			t.Errorf("%s came back as %+v", tag, got)
		}
	}
	if TagOf(5, []byte("a")) == TagOf(5, []byte("b")) {
		t.Error("other content of the same revision has the same tag")
	}
}

func TestAStrangePolicyTagIsARevisionNobodyHas(t *testing.T) {
	for s, want := range map[string]PolicyTag{
		`"41"`: {Revision: 41}, `W/"41-00112233AABBCCDD"`: {41, "00112233aabbccdd"},
		``: {Revision: -1}, `"x"`: {Revision: -1}, `"-7"`: {Revision: -1}, `"99999999999999999999"`: {Revision: -1},
		`"41-"`: {Revision: -1}, `"41-zz"`: {Revision: -1}, `"41-00112233aabbccddee"`: {Revision: -1}, `*`: {Revision: -1},
	} {
		if got := ParsePolicyTag(s); got != want {
			t.Errorf("%s is %+v, want %+v", s, got, want)
		}
	}
}

func FuzzParsePolicyTag(f *testing.F) {
	f.Add(`"41-00112233aabbccdd"`)
	f.Add(`W/"41"`)
	f.Fuzz(func(t *testing.T, s string) {
		tag := ParsePolicyTag(s)
		if tag.Revision >= 0 && ParsePolicyTag(tag.String()) != tag {
			t.Errorf("%q: %+v", s, tag)
		}
	})
}
