package policy

import "fmt"

// CodeDisagree: two sources that both should know say different things.
const CodeDisagree = "disagree"

// CenterState is what Windows Security Center says of a product's protection.
type CenterState string

// The states; "" is one that nobody can read.
const (
	CenterOn      CenterState = "on"
	CenterOff     CenterState = "off"
	CenterSnoozed CenterState = "snoozed"
	CenterExpired CenterState = "expired"
)

// DecodeProductState reads the property productState of root\SecurityCenter2. Microsoft documents none of its bits; those who
// watched it read three bytes: whose it is, whether it is on, whether its patterns are current by the maker's own limit.
// What is none of the known values is none: nothing is guessed.
func DecodeProductState(n uint64) (state CenterState, old, known bool) {
	states := map[uint64]CenterState{0x00: CenterOff, 0x01: CenterOff, 0x10: CenterOn, 0x11: CenterOn, 0x20: CenterSnoozed, 0x21: CenterSnoozed, 0x30: CenterExpired, 0x31: CenterExpired}
	state, known = states[n>>8&0xff]
	patterns := n & 0xff
	if n>>24 != 0 || n>>16 == 0 || !known || patterns != 0x00 && patterns != 0x10 {
		return "", false, false
	}
	return state, patterns == 0x10, true
}

// CenterRow is one product that Security Center lists.
type CenterRow struct {
	Name  string
	State uint64
	Gone  bool // its program is not there any more: the row is left over
}

// Testimony is what Security Center says of all products, or why it says nothing.
type Testimony struct {
	Rows  []CenterRow
	None  bool   // this system has no Security Center: a server
	Code  string // it should have answered, and did not
	Fault string
}

// Witness holds what was read of products against Security Center. It can take a yes away where the two disagree or where it
// should have been asked and did not answer, and it can say what the product itself does not tell; it never overrules a no.
func Witness(readings []Reading, probes []Probe, t Testimony, o Origin) []Reading {
	if t.None {
		return readings
	}
	w := &witness{probes: probes, testimony: t, origin: o, heard: make([]bool, len(t.Rows)), there: map[string]bool{}}
	told := map[string]bool{}
	for _, r := range readings {
		told[r.Product()] = told[r.Product()] || r.Fact() == FactRealtime
		w.there[r.Product()] = w.there[r.Product()] || r.Fact() == FactInstalled && r.IsYes()
	}
	var out []Reading
	for _, r := range readings {
		switch r.Fact() {
		case FactRealtime:
			r = w.realtime(r)
		case FactInstalled:
			r = w.installed(r)
		}
		out = append(out, r)
		if r.Fact() == FactInstalled && r.IsYes() && !told[r.Product()] {
			from := r.origin
			from.Fact = FactRealtime
			out = append(out, w.realtime(from.Unread(CodeNoSource, "cannot tell: the product does not say whether its real-time scan is on")))
		}
	}
	return append(out, w.others()...)
}

type witness struct {
	probes    []Probe
	testimony Testimony
	origin    Origin
	heard     []bool          // rows that belong to a product of a probe
	there     map[string]bool // products that are installed
}

// of gives the states that Security Center has of a product.
func (w *witness) of(product string) (on, rows int, said string) {
	for i, row := range w.testimony.Rows {
		if row.Gone || !w.names(product, row.Name) {
			continue
		}
		state, _, _ := DecodeProductState(row.State)
		if rows++; state == CenterOn {
			on++
		}
		w.heard[i] = true
		said = fmt.Sprintf("%s: %s (0x%06x)", shorten(row.Name), stateWord(state), row.State)
	}
	return on, rows, said
}

func stateWord(s CenterState) string {
	if s == "" {
		return "cannot be read"
	}
	return string(s)
}

func (w *witness) names(product, name string) bool {
	for i := range w.probes {
		if p := &w.probes[i]; p.ID == product && len(p.Center) > 0 {
			return fits(p.Center, name)
		}
	}
	return false
}

func (w *witness) realtime(r Reading) Reading {
	on, rows, said := w.of(r.Product())
	from := r.origin
	switch {
	case r.none || r.Read() && !r.IsYes():
		return r
	case w.testimony.Code != "" && r.Read():
		return from.Unread(w.testimony.Code, "cannot confirm: "+w.testimony.Fault)
	case r.Read() && rows > 0 && on == 0:
		return from.Unread(CodeDisagree, "cannot tell: the product says on, Security Center says "+said)
	case r.Read() || rows == 0:
		return r
	}
	from.Source, from.Raw = w.origin.Source, said
	if on > 0 {
		return from.Bool(true)
	}
	if state, _, known := DecodeProductState(w.stateOf(r.Product())); !known || state == CenterOn {
		return from.Unread(CodeWrongType, "cannot read what Security Center says: "+said)
	}
	return from.Bool(false)
}

func (w *witness) stateOf(product string) uint64 {
	for _, row := range w.testimony.Rows {
		if !row.Gone && w.names(product, row.Name) {
			return row.State
		}
	}
	return 0
}

// installed takes a plain no away where Security Center still lists the product as on: it was just removed, or its service
// has another name than the probe says.
func (w *witness) installed(r Reading) Reading {
	on, _, said := w.of(r.Product())
	if r.Read() && !r.IsYes() && on > 0 && !w.twin(r.Product()) {
		return r.origin.Unread(CodeDisagree, "cannot tell: it is not found, Security Center says "+said)
	}
	return r
}

// twin says whether another product that is there answers to the same names: Trend Micro's do.
func (w *witness) twin(product string) bool {
	for _, row := range w.testimony.Rows {
		if !w.names(product, row.Name) {
			continue
		}
		for i := range w.probes {
			if p := &w.probes[i]; p.ID != product && w.there[p.ID] && w.names(p.ID, row.Name) {
				return true
			}
		}
	}
	return false
}

// others are products that no probe knows. That they are on is all that is known of them.
func (w *witness) others() []Reading {
	var out []Reading
	for i, row := range w.testimony.Rows {
		state, _, known := DecodeProductState(row.State)
		if w.heard[i] || row.Gone || !known || state != CenterOn {
			continue
		}
		o := w.origin
		o.Product, o.Label, o.Raw = "security-center-"+shorten(row.Name), shorten(row.Name), fmt.Sprintf("0x%06x", row.State)
		for _, fact := range []string{FactInstalled, FactRunning, FactRealtime} {
			o.Fact = fact
			out = append(out, o.Bool(true))
		}
		for _, fact := range []string{FactPatternDate, FactScanFull} {
			o.Fact = fact
			out = append(out, o.Unread(CodeNoSource, "cannot tell: Security Center knows no date; add a probe for this product"))
		}
	}
	return out
}
