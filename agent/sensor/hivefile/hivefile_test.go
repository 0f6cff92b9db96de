package hivefile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/agent/sensor/hivefile/hivetest"
)

const uninstall = `Software\Microsoft\Windows\CurrentVersion\Uninstall`

func ask(values ...string) Question { return Question{Key: strings.ToUpper(uninstall), Values: values} }

func program(key, name string) hivetest.Key {
	return hivetest.Key{Name: key, Values: []hivetest.Value{hivetest.Text("DisplayName", name), hivetest.Number("EstimatedSize", 7), hivetest.Text("Other", "x")}}
}

func hanako(programs ...hivetest.Key) []byte {
	return hivetest.Bytes(hivetest.Key{Name: "Console"}, hivetest.At(uninstall, programs...))
}

func TestAProgramStandsInTheHiveAsItDoesInTheRegistry(t *testing.T) {
	a := read(ask("DisplayName", "estimatedsize"), files{hive: hanako(program("ゲーム箱", "ゲーム箱　６"), program("Zip", "7-Zip"))})
	if a.Code != "" || len(a.Entries) != 2 {
		t.Fatalf("%+v", a)
	}
	zip, game := a.Entries[0], a.Entries[1]
	if zip.Name != "Zip" || game.Name != "ゲーム箱" || !bytes.Equal(game.Values["DisplayName"].Data, hivetest.UTF16("ゲーム箱　６\x00")) || game.Values["DisplayName"].Kind != 1 {
		t.Errorf("%+v", a.Entries)
	}
	if v := game.Values["estimatedsize"]; v.Kind != 4 || !bytes.Equal(v.Data, []byte{7, 0, 0, 0}) || len(game.Values) != 2 {
		t.Errorf("%+v", game.Values)
	}
}

func TestValuesOfAnyFormAreReadAsTheyStand(t *testing.T) {
	long, big, tooBig := hivetest.UTF16(strings.Repeat("長", 10_000)), bytes.Repeat([]byte("ab"), MaxValue/2), bytes.Repeat([]byte("x"), MaxValue+1)
	want := map[string]Value{"odd": {Kind: 1, Data: []byte{0x41, 0, 0x42}}, "wrong": {Kind: 4, Data: []byte("eightby!")}, "nothing": {Kind: 1}, "long": {Kind: 1, Data: long},
		"big": {Kind: 3, Data: big}, "tooBig": {Kind: 1, Long: true}, "ゲーム": {Kind: 99, Data: []byte("12345")}, "é": {Kind: 1, Data: []byte("abcd")}}
	k := hivetest.Key{Name: "x"}
	var names []string
	for name, v := range want {
		names = append(names, name)
		if v.Long {
			v.Data = tooBig
		}
		k.Values = append(k.Values, hivetest.Value{Name: name, Kind: v.Kind, Data: v.Data})
	}
	a := read(ask(names...), files{hive: hanako(k)})
	if a.Code != "" || len(a.Entries) != 1 {
		t.Fatalf("%+v", a)
	}
	for name, v := range want {
		if have := a.Entries[0].Values[name]; have.Kind != v.Kind || have.Long != v.Long || !bytes.Equal(have.Data, v.Data) {
			t.Errorf("%s: type %d, %d bytes, long %v", name, have.Kind, len(have.Data), have.Long)
		}
	}
}

func TestThousandsOfKeysAreListedInTwoLevels(t *testing.T) {
	var all []hivetest.Key
	for i := range 3000 {
		all = append(all, program(fmt.Sprintf("program %04d", i), "x"))
	}
	if a := read(ask("DisplayName"), files{hive: hanako(all...)}); a.Code != "" || len(a.Entries) != 3000 {
		t.Errorf("%d, %s %s", len(a.Entries), a.Code, a.Fault)
	}
}

func TestAHiveWithoutTheKeyHoldsNone(t *testing.T) {
	for _, keys := range [][]hivetest.Key{nil, {hivetest.At(`Software\Microsoft`)}, {hivetest.At(uninstall)}, {hivetest.At(`ſoftware\Microsoft\Windows\CurrentVersion\Uninstall`, program("a", "b"))}} {
		if a := read(ask("DisplayName"), files{hive: hivetest.Bytes(keys...)}); a.Code != "" || len(a.Entries) != 0 {
			t.Errorf("%+v", a)
		}
	}
}

func TestWhatIsNoHiveSaysWhy(t *testing.T) {
	good := hanako(program("a", "b"))
	bent := func(at int, b byte) []byte {
		c := slices.Clone(good)
		c[at] = b
		return c
	}
	newer := bent(24, 9)
	hivetest.Sum(newer)
	for want, raw := range map[string][]byte{
		"it is empty":                             {},
		"it is cut off after 100 bytes":           good[:100],
		"it is no registry hive":                  bytes.Repeat([]byte("MZ"), 4096),
		"the checksum of its head is wrong":       bent(40, 1),
		"it is cut off: 1000 bytes of 4096":       good[:4096+1000],
		"a form that is not known (version 1.9, ": newer,
	} {
		if a := read(ask("DisplayName"), files{hive: raw}); a.Code != Damaged || !strings.Contains(a.Fault, want) || len(a.Entries) != 0 {
			t.Errorf("%s: %+v", want, a)
		}
	}
}

// TestOneBrokenKeyHidesNoOther: what can be read is there, and the answer says that not everything is.
func TestOneBrokenKeyHidesNoOther(t *testing.T) {
	raw := hanako(program("first", "a"), program("second", "b"), program("third", "c"))
	at := bytes.Index(raw, []byte("second"))
	copy(raw[at-76:], "xx")
	a := read(ask("DisplayName"), files{hive: raw})
	if a.Code != Damaged || len(a.Entries) != 2 || a.Entries[1].Name != "third" {
		t.Errorf("%+v", a)
	}
	path := hanako(program("first", "a"))
	copy(path[bytes.Index(path, []byte("Windows"))-76:], "xx")
	if a := read(ask("DisplayName"), files{hive: path}); a.Code != Damaged {
		t.Errorf("what cannot be seen is taken for empty: %+v", a)
	}
}

// TestAHiveFullOfLoopsIsLeftSoon: every list is the same list, which names itself.
func TestAHiveFullOfLoopsIsLeftSoon(t *testing.T) {
	raw := hanako(program("a", "b"))
	bins := raw[baseSize:]
	m := &image{bins: bins, root: le.Uint32(raw[36:]), steps: maxSteps, room: maxData}
	at, there, err := m.find(uninstall)
	if err != nil || !there {
		t.Fatal(there, err)
	}
	list := uint32(len(bins))
	loop := make([]byte, 512<<10)
	le.PutUint32(loop, uint32(-int32(len(loop))))
	copy(loop[4:], "ri")
	le.PutUint16(loop[6:], 60000)
	for i := range 60000 {
		le.PutUint32(loop[8+4*i:], list)
	}
	raw = append(raw, loop...)
	le.PutUint32(raw[40:], list+uint32(len(loop)))
	hivetest.Sum(raw)
	node := bytes.Index(raw, []byte("Uninstall")) - nodeSize
	le.PutUint32(raw[node+20:], 1<<31)
	le.PutUint32(raw[node+28:], list)
	begun := time.Now()
	if a := read(ask("DisplayName"), files{hive: raw}); a.Code == "" || len(a.Entries) != 0 {
		t.Errorf("%+v", a)
	}
	copy(raw[baseSize+int(list)+4:], "lf") // one key, thirty thousand times, in each of sixty thousand lists
	le.PutUint32(raw[baseSize+int(list)+8:], at.list)
	if a := read(ask("DisplayName"), files{hive: raw}); a.Code == "" {
		t.Errorf("%d entries, nothing wrong", len(a.Entries))
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestStepsAndBytesAreCounted(t *testing.T) {
	var same []hivetest.Key
	for i := range 400 {
		same = append(same, program(fmt.Sprint(i), "a name"))
	}
	raw := hanako(same...)
	m, err := open(files{hive: raw})
	if err != nil {
		t.Fatal(err)
	}
	m.steps = 500
	entries, err := m.entries(ask("DisplayName"))
	if !isCode(err, TooMuch) || len(entries) == 0 || len(entries) == 400 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	m, _ = open(files{hive: raw})
	m.room = 20
	if _, err = m.entries(ask("DisplayName")); !isCode(err, TooMuch) {
		t.Error(err)
	}
}

// TestWhatIsLongerThanItCanBe: a person may write names and numbers that no Windows writes.
func TestWhatIsLongerThanItCanBe(t *testing.T) {
	if a := read(ask("DisplayName"), files{hive: hanako(program(strings.Repeat("x", 511), "a"), program("b", "b"))}); a.Code != Damaged || len(a.Entries) != 1 {
		t.Errorf("%s %d", a.Code, len(a.Entries))
	}
	var many []hivetest.Key
	for i := range 2000 {
		many = append(many, program(fmt.Sprint(i), strings.Repeat("長", 700)))
	}
	if a := read(ask("DisplayName"), files{hive: hanako(many...)}); a.Code != TooMuch || len(a.Entries) < 1000 || len(a.Entries) == 2000 {
		t.Errorf("%s %d", a.Code, len(a.Entries))
	}
}

func isCode(err error, code string) bool { return failed(err).Code == code }

func TestTheSumsOfALogAreMicrosofts(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want uint64
	}{{nil, 0x30ed35c100cd3c7d}, {[]byte{0xaf}, 0x48e73fc77d75ddc1}, {[]byte{0xe7, 0x0f}, 0xb5f6e1fc485dbff8}, {[]byte{0x37, 0xf4, 0x95}, 0xf0b07c789b8cf7e8}, {[]byte{0x86, 0x42, 0xdc, 0x59}, 0x7008f2e87e9cf556}} {
		if have := marvinFrom(0x004fb61a001bdbcc, c.in); have != c.want {
			t.Errorf("%x: %x, not %x", c.in, have, c.want)
		}
	}
}

// logOf is a transaction log: each hive is what an entry makes of the one before.
func logOf(number uint32, states ...[]byte) []byte {
	log := make([]byte, sector)
	copy(log, "regf")
	le.PutUint32(log[28:], logKind)
	for i, s := range states {
		log = append(log, entryOf(number+uint32(i), s)...)
	}
	return log
}

func entryOf(number uint32, state []byte) []byte {
	bins := state[baseSize:]
	e := make([]byte, entryHead)
	copy(e, "HvLE")
	pages := len(bins) / blockSize
	for at, n := range map[int]int{12: int(number), 16: len(bins), 20: pages} {
		le.PutUint32(e[at:], uint32(n))
	}
	for i := range pages {
		e = le.AppendUint32(le.AppendUint32(e, uint32(i*blockSize)), blockSize)
	}
	e = append(e, bins...)
	e = append(e, make([]byte, (sector-len(e)%sector)%sector)...)
	le.PutUint32(e[4:], uint32(len(e)))
	le.PutUint64(e[24:], marvin(e[entryHead:]))
	le.PutUint64(e[32:], marvin(e[:hashed]))
	return e
}

// unfinished is a hive that was not written to its end.
func unfinished(raw []byte, second uint32) []byte {
	raw = slices.Clone(raw)
	le.PutUint32(raw[4:], second+1)
	le.PutUint32(raw[8:], second)
	hivetest.Sum(raw)
	return raw
}

func names(a Answer) (out []string) {
	for _, e := range a.Entries {
		out = append(out, e.Name)
	}
	return out
}

func TestWhatStandsInALogOnlyIsSeen(t *testing.T) {
	var many []hivetest.Key
	for i := range 50 {
		many = append(many, program(fmt.Sprintf("new %02d", i), strings.Repeat("長", 50)))
	}
	before, between, after := hanako(program("old", "a")), hanako(program("old", "a"), program("new", "b")), hanako(many...)
	dirty := unfinished(before, 7)
	first, second := logOf(7, between), logOf(8, after)
	leftover := append(logOf(7, after), entryOf(3, before)...)
	torn := logOf(7, between, after)
	torn[len(torn)-1] ^= 1
	for what, c := range map[string]struct {
		f    files
		code string
		n    int
		one  string
	}{
		"not dirty: logs are old": {files{hive: before, log1: logOf(1, after)}, "", 1, "old"},
		"one log":                 {files{hive: dirty, log1: logOf(7, after)}, "", 50, "new 00"},
		"two logs":                {files{hive: dirty, log1: first, log2: second}, "", 50, "new 00"},
		"the other way round":     {files{hive: dirty, log1: second, log2: first}, "", 50, "new 00"},
		"an old entry behind":     {files{hive: dirty, log1: leftover}, "", 50, "new 00"},
		"the last entry is torn":  {files{hive: dirty, log1: torn}, "", 2, "new"},
		"no log":                  {files{hive: dirty}, Older, 1, "old"},
		"a log of another time":   {files{hive: dirty, log1: logOf(9, after)}, Older, 1, "old"},
		"no log at all":           {files{hive: dirty, log1: []byte("regf"), log2: bytes.Repeat([]byte{0xff}, 5000)}, Older, 1, "old"},
	} {
		c.f.hive = slices.Clone(c.f.hive)
		if a := read(ask("DisplayName"), c.f); a.Code != c.code || len(a.Entries) != c.n || a.Entries[0].Name != c.one {
			t.Errorf("%s: %s %s %q", what, a.Code, a.Fault, names(a))
		}
	}
}

func TestALogThatLeadsOutsideIsNotApplied(t *testing.T) {
	dirty, log := unfinished(hanako(program("old", "a")), 7), logOf(7, hanako(program("new", "b")))
	e := log[sector:]
	le.PutUint32(e[entryHead:], 1<<30)
	le.PutUint64(e[24:], marvin(e[entryHead:]))
	le.PutUint64(e[32:], marvin(e[:hashed]))
	if a := read(ask("DisplayName"), files{hive: dirty, log1: log}); a.Code != Older || names(a)[0] != "old" {
		t.Errorf("%+v", a)
	}
	le.PutUint32(e[16:], 1<<31)
	le.PutUint64(e[32:], marvin(e[:hashed]))
	if a := read(ask("DisplayName"), files{hive: dirty, log1: log}); a.Code != Older {
		t.Errorf("%+v", a)
	}
}

func put(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsReadWithItsLogs(t *testing.T) {
	dir := t.TempDir()
	q := ask("DisplayName")
	q.Folder, q.File = dir, "NTUSER.DAT"
	if a := Read(q); a.Code != Missing {
		t.Errorf("%+v", a)
	}
	if _, _, err := Mark(dir, q.File); !os.IsNotExist(err) {
		t.Error(err)
	}
	path := filepath.Join(dir, q.File)
	put(t, path, unfinished(hanako(program("old", "a")), 7))
	put(t, path+log2, logOf(7, hanako(program("new", "b"))))
	mark, _, err := Mark(dir, q.File)
	if a := Read(q); a.Code != "" || err != nil || names(a)[0] != "new" {
		t.Errorf("%+v, %v", a, err)
	}
	put(t, path+log1, nil)
	if again, _, _ := Mark(dir, q.File); again == mark {
		t.Error("a log that came is no change")
	}
	if err := os.Truncate(path, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	if a := Read(q); a.Code != TooMuch || a.Fault != "it is longer than 64 MiB" {
		t.Errorf("%+v", a)
	}
}

func FuzzHive(f *testing.F) {
	for _, raw := range [][]byte{hanako(), hanako(program("ゲーム箱", "ゲーム箱"), program("b", strings.Repeat("長", 20_000)))} {
		f.Add(raw, []byte{})
		f.Add(unfinished(raw, 7), logOf(7, raw))
	}
	f.Fuzz(func(t *testing.T, raw, log []byte) {
		if len(raw) >= baseSize {
			hivetest.Sum(raw) // the way in is known to everybody
		}
		a := read(ask("DisplayName", "EstimatedSize"), files{hive: raw, log1: log})
		for _, e := range a.Entries {
			for name, v := range e.Values {
				if len(v.Data) > MaxValue {
					t.Errorf("%s has %d bytes", name, len(v.Data))
				}
			}
		}
		if a.Code == "" && a.Fault != "" || len(a.Entries) > maxKeys {
			t.Errorf("%s %s %d", a.Code, a.Fault, len(a.Entries))
		}
	})
}

// FuzzCells lies in the cells themselves, behind a head that is sound.
func FuzzCells(f *testing.F) {
	good := hanako(program("a", "b"), program("c", strings.Repeat("長", 20_000)))
	f.Add(uint32(40), uint32(7), uint32(80), uint32(9))
	f.Fuzz(func(t *testing.T, at1, with1, at2, with2 uint32) {
		raw := slices.Clone(good)
		bins := raw[baseSize:]
		le.PutUint32(bins[at1%uint32(len(bins)-4):], with1)
		le.PutUint32(bins[at2%uint32(len(bins)-4):], with2)
		if a := read(ask("DisplayName", "EstimatedSize"), files{hive: raw}); a.Code == "" && a.Fault != "" {
			t.Errorf("%+v", a)
		}
	})
}
