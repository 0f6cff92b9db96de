// Package roll keeps lists of programs in few bytes: a terminal has thousands of packages, and whoever must know all of
// them at every moment keeps them for as long as it runs. It never judges a program, and a list never changes.
//
// Of 6,000 packages it keeps 0.48 MB. A slice of programs with every word that many have interned (unique.Make) keeps 1.93 MB, one of a
// struct of handles 1.31 MB (heap and resident alike, BenchmarkKeep and BenchmarkKeepPlain). The agent has two lists, the inventory's and
// the gate's: plain they would add 2.9 MB to some 10.
package roll

import (
	"encoding/binary"
	"iter"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// Roll is a list of programs in their order. Nil is an empty one. What is taken out of it shares its bytes. Times are UTC.
type Roll struct{ parts []*part }

// part is what was written at once: one program behind the other, and words that many of them have apart.
type part struct {
	text  string
	begin []uint32 // of each program in text
	words []string // the first is ""
}

// Of makes a roll. The list is not kept.
func Of(programs []policy.Program) *Roll {
	w := writer{number: map[string]uint64{"": 0}, words: []string{""}, begin: make([]uint32, 0, len(programs))}
	for i := range programs {
		w.begin = append(w.begin, uint32(len(w.text)))
		w.program(&programs[i])
	}
	return &Roll{parts: []*part{{text: string(w.text), begin: w.begin, words: w.words}}}
}

// Join is the programs of all rolls. It takes no more memory.
func Join(rolls ...*Roll) *Roll {
	all := &Roll{}
	for _, r := range rolls {
		if r != nil {
			all.parts = append(all.parts, r.parts...)
		}
	}
	return all
}

// Len is how many programs there are.
func (r *Roll) Len() (n int) {
	if r == nil {
		return 0
	}
	for _, p := range r.parts {
		n += len(p.begin)
	}
	return n
}

// At gives a program by its number, from 0 to Len less one.
func (r *Roll) At(n int) policy.Program {
	p, n := r.partOf(n)
	return p.at(n)
}

// Name is what At gives, in less time.
func (r *Roll) Name(n int) string {
	p, n := r.partOf(n)
	out, _ := p.named(n)
	return out.Name
}

func (r *Roll) partOf(n int) (*part, int) {
	for _, p := range r.parts {
		if n < len(p.begin) {
			return p, n
		}
		n -= len(p.begin)
	}
	panic("roll: there is no such program")
}

// All gives the programs in their order.
func (r *Roll) All() iter.Seq[policy.Program] {
	return func(yield func(policy.Program) bool) {
		for n := range r.Len() {
			if !yield(r.At(n)) {
				return
			}
		}
	}
}

// Programs is all of them at once, for who needs them for a moment.
func (r *Roll) Programs() []policy.Program {
	all := make([]policy.Program, 0, r.Len())
	for p := range r.All() {
		all = append(all, p)
	}
	return all
}

// What the first byte of a program says.
const (
	hasUsualID = 1 << iota // the id is kind:name:arch, and the name is not written again
	isEssential
	isUnclean
	hasTime
)

type writer struct {
	text   []byte
	begin  []uint32
	words  []string
	number map[string]uint64 // of each word
}

func (w *writer) program(p *policy.Program) {
	form := formOf(p)
	w.text = append(w.text, form)
	w.word(string(p.Kind))
	w.word(p.Arch)
	w.string(p.ID)
	if form&hasUsualID == 0 {
		w.string(p.Name)
	}
	w.string(p.Version)
	for _, often := range []string{p.Publisher, p.Signer, p.Source, p.Origin, p.User, p.InstalledBy, p.Fault} {
		w.word(often)
	}
	w.string(p.Path)
	w.string(p.Hash)
	w.text = binary.AppendVarint(w.text, p.Size)
	if form&hasTime != 0 {
		w.text = binary.AppendVarint(w.text, p.InstalledAt.Unix())
		w.text = binary.AppendUvarint(w.text, uint64(p.InstalledAt.Nanosecond()))
	}
}

func formOf(p *policy.Program) (form byte) {
	for i, is := range []bool{usualID(p), p.Essential, p.Unclean, !p.InstalledAt.IsZero()} { // as the bits stand above
		if is {
			form |= 1 << i
		}
	}
	return form
}

func usualID(p *policy.Program) bool {
	rest, ok := strings.CutPrefix(p.ID, string(p.Kind)+":")
	rest, ok2 := strings.CutSuffix(rest, ":"+p.Arch)
	return ok && ok2 && rest == p.Name
}

func (w *writer) string(s string) {
	w.text = binary.AppendUvarint(w.text, uint64(len(s)))
	w.text = append(w.text, s...)
}

// word writes the number of what many programs have.
func (w *writer) word(s string) {
	n, ok := w.number[s]
	if !ok {
		n = uint64(len(w.words))
		s = strings.Clone(s) // it may be a piece of something long
		w.words, w.number[s] = append(w.words, s), n
	}
	w.text = binary.AppendUvarint(w.text, n)
}

// named reads how a program begins, and gives what reads the rest.
func (p *part) named(n int) (out policy.Program, r reader) {
	r = reader{text: p.text[p.begin[n]+1:], words: p.words, form: p.text[p.begin[n]]}
	out.Kind, out.Arch, out.ID = policy.ProgramKind(r.word()), r.word(), r.string()
	if r.form&hasUsualID != 0 {
		out.Name = out.ID[len(out.Kind)+1 : len(out.ID)-len(out.Arch)-1]
	} else {
		out.Name = r.string()
	}
	return out, r
}

func (p *part) at(n int) policy.Program {
	out, r := p.named(n)
	out.Essential, out.Unclean = r.form&isEssential != 0, r.form&isUnclean != 0
	out.Version = r.string()
	for _, often := range []*string{&out.Publisher, &out.Signer, &out.Source, &out.Origin, &out.User, &out.InstalledBy, &out.Fault} {
		*often = r.word()
	}
	out.Path, out.Hash = r.string(), r.string()
	out.Size = r.signed()
	if r.form&hasTime != 0 {
		seconds := r.signed()
		out.InstalledAt = time.Unix(seconds, int64(r.number())).UTC()
	}
	return out
}

// reader reads what writer wrote; nobody else's bytes come here.
type reader struct {
	text  string
	words []string
	form  byte // what the first byte says
}

func (r *reader) number() (n uint64) {
	for shift := 0; ; shift += 7 {
		b := r.text[0]
		r.text = r.text[1:]
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}

// signed undoes binary.AppendVarint.
func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) word() string { return r.words[r.number()] }

func (r *reader) string() string {
	n := r.number()
	s := r.text[:n]
	r.text = r.text[n:]
	return s
}
