package software

import (
	"io"

	"sekisho/agent/sensor/aptlist"
	"sekisho/internal/policy"
	"sekisho/internal/version"
)

// asked are the packages whose repository is looked for.
type asked struct {
	of     map[string][]*policy.Program // by name
	newest map[*policy.Program]string   // the highest version that a list has of it
	lists  int                          // that could be read
	unread int                          // that could not
}

func ask(programs []*policy.Program) *asked {
	a := &asked{of: map[string][]*policy.Program{}, newest: map[*policy.Program]string{}}
	for _, p := range programs {
		a.of[p.Name] = append(a.of[p.Name], p)
	}
	return a
}

// read looks for them in one list.
func (a *asked) read(l aptlist.List, r io.Reader) error {
	_, err := stanzas(r, []string{"Package", "Version", "Architecture"}, func(v [][]byte) bool {
		for _, p := range a.of[string(v[0])] {
			if string(v[2]) == p.Arch {
				a.found(p, l, string(v[1]))
			}
		}
		return true
	})
	if err == nil {
		a.lists++
	}
	return err
}

func (a *asked) found(p *policy.Program, l aptlist.List, v string) {
	if v == p.Version && (l.Signed || p.Source == "") {
		p.Source, p.Fault = policy.SourceRepository, ""
		p.Origin, _ = clean(l.Origin, maxWord)
		if !l.Signed {
			p.Source, p.Fault = policy.SourceUnknown, "its repository is not signed"
		}
	}
	if old := a.newest[p]; old == "" || version.Compare(v, old) > 0 {
		a.newest[p] = v
	}
}

// settle says what is known of those that no list has in their version. An older version was in the list once, most likely:
// that is no proof. A newer one, or a name that no list has, was brought by somebody.
func (a *asked) settle() {
	for _, programs := range a.of {
		for _, p := range programs {
			newest := a.newest[p]
			switch {
			case p.Source != "":
			case a.lists == 0 || a.unread > 0:
				p.Source = policy.SourceUnknown
			case newest != "" && version.Compare(p.Version, newest) < 0:
				p.Source, p.Fault = policy.SourceUnknown, "the lists of its repository have a newer version only"
			default:
				p.Source = policy.SourceLocal
			}
		}
	}
}
