package execgate

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

// index says which packages a path belongs to, in eight bytes for each path: a seeded hash and the package's number.
// That another path has the same 48 bits is as likely as guessing them, and would help only a file that is root's.
type index struct {
	seed     maphash.Seed
	entries  []uint64 // hash<<16 | number, sorted
	packages *roll.Roll
	byName   []uint16 // numbers of packages, sorted by name and architecture
	looks    bool     // nothing may be stopped by it

	// Of dpkg's lists:
	stamps []int64   // when each package's had changed last, in ns; 0 is unknown
	ground string    // what else the paths were made by
	folder time.Time // when their folder had changed last before they were read; zero is unknown
}

const (
	numberBits  = 16
	maxPackages = 1 << numberBits
)

func newIndex(programs []policy.Program, kind policy.ProgramKind) *index {
	ours := make([]policy.Program, 0, len(programs))
	for _, p := range programs {
		if p.Kind == kind && len(ours) < maxPackages {
			ours = append(ours, p)
		}
	}
	x := &index{seed: maphash.MakeSeed(), packages: roll.Of(ours), byName: make([]uint16, len(ours))}
	for n := range x.byName {
		x.byName[n] = uint16(n)
	}
	slices.SortFunc(x.byName, func(a, b uint16) int {
		return cmp.Or(cmp.Compare(ours[a].Name, ours[b].Name), cmp.Compare(a, b)) // of one name the first that was given
	})
	return x
}

// find gives the number of the package that dpkg calls "curl:amd64" or "curl".
func (x *index) find(called string) (int, bool) {
	name, arch, exact := strings.Cut(called, ":")
	first, _ := slices.BinarySearchFunc(x.byName, name, func(n uint16, name string) int { return cmp.Compare(x.packages.Name(int(n)), name) })
	for _, n := range x.byName[first:] {
		if x.packages.Name(int(n)) != name {
			break
		}
		if !exact || x.packages.At(int(n)).Arch == arch {
			return int(n), true
		}
	}
	return 0, false
}

// adopt takes over the paths of packages whose lists are still the same: numbers are the new ones, one more, by the old ones.
func (x *index) adopt(old *index, numbers []int) {
	for _, e := range old.entries {
		if n := numbers[e&(maxPackages-1)]; n > 0 {
			x.entries = append(x.entries, e&^(maxPackages-1)|uint64(n-1))
		}
	}
}

// likens says that whoever was trusted by the old index is by this one.
func (x *index) likens(old *index, allowed func(policy.Program) bool) bool {
	if x.looks != old.looks || old.packages == nil || x.packages.Len() != old.packages.Len() || x.seed != old.seed || !slices.Equal(x.entries, old.entries) {
		return false
	}
	for n := range x.packages.Len() {
		p, was := x.packages.At(n), old.packages.At(n)
		if p.ID != was.ID || p != was && !(allowed(p) && allowed(was)) {
			return false
		}
	}
	return true
}

// permitted says that every package that dpkg has installed is; of rpm's nobody knows which scripts they have.
func (x *index) permitted(allowed func(policy.Program) bool) bool {
	if x.ground == "" {
		return false
	}
	for n := range x.packages.Len() {
		if !allowed(x.packages.At(n)) {
			return false
		}
	}
	return true
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
func (x *index) owners(path string) (all []policy.Program) {
	if x == nil {
		return nil
	}
	if n, ok := x.scriptOf(path); ok {
		return []policy.Program{x.packages.At(n)}
	}
	want := maphash.String(x.seed, path) &^ (maxPackages - 1)
	i, _ := slices.BinarySearch(x.entries, want)
	for ; i < len(x.entries) && x.entries[i]&^(maxPackages-1) == want; i++ {
		all = append(all, x.packages.At(int(x.entries[i]&(maxPackages-1))))
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
	return x.find(base[:dot])
}

const dpkgInfo = "/var/lib/dpkg/info/"

// dpkgStatus is put in place anew with every change (dpkg-query(1)).
const dpkgStatus = "/var/lib/dpkg/status"

// noIndex is what is known before anything was read.
var noIndex = &index{}
