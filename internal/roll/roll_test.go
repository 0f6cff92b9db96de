package roll

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unique"

	"pgregory.net/rapid"

	"sekisho/internal/policy"
)

// crowd are packages as a developer's terminal has them.
func crowd(n int) (out []policy.Program) {
	for i := range n {
		name := fmt.Sprintf("libexample-part%d", i)
		out = append(out, policy.Program{ID: "deb:" + name + ":amd64", Kind: policy.ProgramDeb, Name: name, Version: fmt.Sprintf("1:%d.2.3-4+deb12u1", i), Arch: "amd64",
			Publisher: fmt.Sprintf("Example Maintainers %d <maintainers@example.org>", i%200), Source: policy.SourceRepository, Origin: "deb.example.lan/debian stable main",
			Size: int64(i) * 1024, InstalledAt: time.Unix(1700000000+int64(i), 0).UTC(), Essential: i%100 == 0})
	}
	return out
}

func TestWhatIsOnTheRollIsWhatWasWritten(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "a", "deb", "a:b", ":", "株式会社", "no\x00end", string(make([]byte, 300))})
	program := rapid.Custom(func(r *rapid.T) policy.Program {
		w := func(name string) string { return word.Draw(r, name) }
		p := policy.Program{ID: w("id"), Kind: policy.ProgramKind(w("kind")), Name: w("name"), Version: w("version"), Arch: w("arch"), Publisher: w("publisher"),
			Signer: w("signer"), Source: w("source"), Origin: w("origin"), Path: w("path"), Hash: w("hash"), User: w("user"), InstalledBy: w("by"), Fault: w("fault"),
			Size: rapid.Int64().Draw(r, "size"), Essential: rapid.Bool().Draw(r, "essential"), Unclean: rapid.Bool().Draw(r, "unclean")}
		if rapid.Bool().Draw(r, "usual") {
			p.ID = string(p.Kind) + ":" + p.Name + ":" + p.Arch
		}
		if rapid.Bool().Draw(r, "dated") {
			p.InstalledAt = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(r, "at"), rapid.Int64Range(0, 999999999).Draw(r, "nano")).UTC()
		}
		return p
	})
	rapid.Check(t, func(r *rapid.T) {
		a, b := rapid.SliceOfN(program, 0, 8).Draw(r, "a"), rapid.SliceOfN(program, 0, 8).Draw(r, "b")
		both := Join(Of(a), nil, Of(b))
		if got := both.Programs(); !slices.Equal(got, append(slices.Clone(a), b...)) {
			r.Fatalf("%+v", got)
		}
		for n, p := range a {
			if both.At(n) != p || both.Name(n) != p.Name {
				r.Fatal("the numbers are others")
			}
		}
	})
}

func TestTheGreatestNumbersHaveRoom(t *testing.T) {
	for _, p := range []policy.Program{{Size: math.MaxInt64}, {Size: math.MinInt64}, {InstalledAt: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)}} {
		if got := Of([]policy.Program{p}).At(0); got != p {
			t.Errorf("%+v is %+v", p, got)
		}
	}
}

func TestNoRollIsAnEmptyOne(t *testing.T) {
	var none *Roll
	for range Join(none, Of(nil)).All() {
		t.Error("there is a program in it")
	}
	for range none.All() {
		t.Error("there is a program in it")
	}
	if none.Len() != 0 {
		t.Error("it has a length")
	}
}

// BenchmarkKeep shows the bytes that are kept for 6,000 packages, and what making the roll costs.
func BenchmarkKeep(b *testing.B) {
	programs := crowd(6000)
	before := alive()
	rolls := make([]*Roll, 0, 8)
	for range 8 {
		rolls = append(rolls, Of(programs))
	}
	kept := (alive() - before) / 8
	for b.Loop() {
		Of(programs)
	}
	b.ReportMetric(float64(kept), "bytes/6000")
	runtime.KeepAlive(rolls)
	runtime.KeepAlive(programs)
}

// BenchmarkKeepPlain is what the roll is worth: the same in a slice, whatever many programs share only once.
func BenchmarkKeepPlain(b *testing.B) {
	programs := crowd(6000)
	before := alive()
	lists := make([][]policy.Program, 0, 8)
	for range 8 {
		lists = append(lists, interned(programs))
	}
	kept := (alive() - before) / 8
	for b.Loop() {
		interned(programs)
	}
	b.ReportMetric(float64(kept), "bytes/6000")
	runtime.KeepAlive(lists)
	runtime.KeepAlive(programs)
}

func interned(programs []policy.Program) []policy.Program {
	list := slices.Clone(programs)
	for i := range list {
		p := &list[i]
		p.ID, p.Version = strings.Clone(p.ID), strings.Clone(p.Version)
		p.Name = p.ID[len("deb:"):][:len(p.Name)]
		for _, often := range []*string{&p.Arch, &p.Publisher, &p.Source, &p.Origin} {
			*often = unique.Make(*often).Value()
		}
	}
	return list
}

func alive() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkName(b *testing.B) {
	r := Of(crowd(6000))
	for n := 0; b.Loop(); n = (n + 1) % 6000 {
		_ = r.Name(n)
	}
}

func BenchmarkAt(b *testing.B) {
	r := Of(crowd(6000))
	for n := 0; b.Loop(); n = (n + 1) % 6000 {
		_ = r.At(n)
	}
}
