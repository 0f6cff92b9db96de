package execgate

import (
	"hash/maphash"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// index says which packages a path belongs to, in eight bytes for each path: a seeded hash and the package's number.
// That another path has the same 48 bits is as likely as guessing them, and would help only a file that is root's.
type index struct {
	seed     maphash.Seed
	entries  []uint64 // hash<<16 | number, sorted
	packages []policy.Program
	byName   map[string]int // "curl:amd64" and "curl"
	looks    bool           // nothing may be stopped by it
}

const (
	numberBits  = 16
	maxPackages = 1 << numberBits
)

func newIndex(programs []policy.Program, kind policy.ProgramKind) *index {
	x := &index{seed: maphash.MakeSeed(), byName: map[string]int{}}
	for _, p := range programs {
		if p.Kind != kind || len(x.packages) == maxPackages {
			continue
		}
		n := len(x.packages)
		x.packages = append(x.packages, p)
		x.byName[p.Name+":"+p.Arch] = n
		if _, taken := x.byName[p.Name]; !taken {
			x.byName[p.Name] = n
		}
	}
	return x
}

func (x *index) add(path string, number int) {
	x.entries = append(x.entries, maphash.String(x.seed, path)&^(maxPackages-1)|uint64(number))
}

func (x *index) sort() {
	slices.Sort(x.entries)
	if x.entries = slices.Compact(x.entries); cap(x.entries) > len(x.entries)+len(x.entries)/4 {
		x.entries = slices.Clone(x.entries)
	}
}

// owners gives the packages that a path belongs to; more than one is rare.
func (x *index) owners(path string) (all []*policy.Program) {
	if x == nil {
		return nil
	}
	if n, ok := x.scriptOf(path); ok {
		return []*policy.Program{&x.packages[n]}
	}
	want := maphash.String(x.seed, path) &^ (maxPackages - 1)
	i, _ := slices.BinarySearch(x.entries, want)
	for ; i < len(x.entries) && x.entries[i]&^(maxPackages-1) == want; i++ {
		all = append(all, &x.packages[x.entries[i]&(maxPackages-1)])
	}
	return all
}

// scriptOf finds the package of a maintainer script, which is in no package's list (deb-postinst(5)).
func (x *index) scriptOf(path string) (int, bool) {
	base, ok := strings.CutPrefix(path, dpkgInfo)
	if !ok {
		return 0, false
	}
	dot := strings.LastIndexByte(base, '.')
	if dot < 0 {
		return 0, false
	}
	n, ok := x.byName[base[:dot]]
	return n, ok
}

const dpkgInfo = "/var/lib/dpkg/info/"
