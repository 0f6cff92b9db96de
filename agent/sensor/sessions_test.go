package sensor

import "testing"

func TestOfTwoPeopleTheOneAtTheConsoleIsNamed(t *testing.T) {
	people := map[uint32]string{1: `総務\佐藤 花子`, 2: `CITY\tanaka`, 3: ""}
	name := func(id uint32) string { return people[id] }
	for _, c := range []struct {
		what    string
		console uint32
		active  []uint32
		want    string
	}{
		{"both", 1, []uint32{2, 1}, `総務\佐藤 花子`},
		{"console locked at the sign-in screen", 3, []uint32{3, 2}, `CITY\tanaka`},
		{"console detached", noSession, []uint32{2, 1}, `CITY\tanaka`},
		{"nobody", 3, []uint32{3}, ""},
		{"no session at all", noSession, nil, ""},
	} {
		want(t, c.what, atTerminal(c.console, c.active, name), c.want)
	}
}

func TestAnAccountIsWrittenAsWindowsDoes(t *testing.T) {
	for _, c := range [][3]string{
		{"総務課", "佐藤", `総務課\佐藤`}, {"", "佐藤", "佐藤"}, {"CITY", "", ""}, {"A\x00B", "x\r\ny", "A\uFFFDB\\x\uFFFD\uFFFDy"},
	} {
		want(t, "account", signedIn(c[0], c[1]), c[2])
	}
}
