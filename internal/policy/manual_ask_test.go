package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *situation) grant(words []string) (err error) {
	g := Grant{ID: words[0]}
	for i := 1; i < len(words); i++ {
		if vendor, product, ok := strings.Cut(words[i], ":"); ok {
			g.Vendor, g.Product = vendor, product
			continue
		}
		if i+1 == len(words) {
			return fmt.Errorf("%q needs a value", words[i])
		}
		value := words[i+1]
		switch words[i] {
		case "serial":
			g.Serial = value
		case "digest":
			g.Digest = value
		case "port":
			g.Port = value
		case "bus":
			g.Bus = value
		case "from":
			g.From, err = clock(value)
		case "until":
			g.Until, err = clock(value)
		default:
			err = fmt.Errorf("cannot understand %q in a grant", words[i])
		}
		if err != nil {
			return err
		}
		i++
	}
	s.policy.Grants = append(s.policy.Grants, g)
	return nil
}

// ask decides and compares: HH:MM attach WHAT … => ACTION REASON [remark …].
func (s *situation) ask(words []string) error {
	arrow := slices.Index(words, "=>")
	if arrow < 3 || len(words) < arrow+3 || !slices.Contains([]string{EventAttach, EventChange, EventDetach}, words[1]) {
		return fmt.Errorf("write: at HH:MM attach WHAT VVVV:PPPP => ACTION REASON")
	}
	now, err := clock(words[0])
	if err != nil {
		return err
	}
	dev, err := deviceWords(words[2:arrow])
	if err != nil {
		return err
	}
	s.asked++
	got := Decide(s.policy, Event{What: words[1], Device: dev}, now)
	return compare(got, words[arrow+1:])
}

func deviceWords(words []string) (dev Device, err error) {
	dev.Bus = BusUSB
	if strings.Contains(words[0], "/") {
		dev.Interfaces, err = interfaceWords(words[0])
		dev.Kinds = KindsOf(Interface{}, dev.Interfaces)
	} else if words[0] != "nothing-readable" {
		dev.Kinds, err = kindWords(words[0])
	}
	for i := 1; i < len(words) && err == nil; i++ {
		if vendor, product, ok := strings.Cut(words[i], ":"); ok {
			dev.Vendor, dev.Product = vendor, product
			continue
		}
		if i+1 == len(words) {
			return dev, fmt.Errorf("%q needs a value", words[i])
		}
		err = dev.fact(words[i], words[i+1])
		i++
	}
	return dev, err
}

func (d *Device) fact(name, value string) (err error) {
	switch name {
	case "serial":
		d.Serial = value
	case "port":
		d.Port = value
	case "digest":
		d.Digest = value
	case "bus":
		d.Bus = value
	case "named":
		d.Name = value
	case "capacity":
		d.Capacity, err = gigabytes(value)
	default:
		err = fmt.Errorf("cannot understand %q of a device", name)
	}
	return err
}

func interfaceWords(text string) ([]Interface, error) {
	var list []Interface
	for word := range strings.SplitSeq(text, "+") {
		var i Interface
		if n, err := fmt.Sscanf(word, "%02x/%02x/%02x", &i.Class, &i.Subclass, &i.Protocol); n != 3 {
			return nil, fmt.Errorf("cannot read interface %q: %v", word, err)
		}
		list = append(list, i)
	}
	return list, nil
}

// compare says how the decision differs from what the page claims.
func compare(d Decision, want []string) error {
	said := string(d.Action) + " " + reason(d)
	claim, remarks := strings.Join(want[:2], " "), want[2:]
	if (want[1] == "grant" || want[1] == "built-in") && len(want) > 2 {
		claim, remarks = strings.Join(want[:3], " "), want[3:]
	}
	if said != claim {
		return fmt.Errorf("the answer is %q, not %q", said, claim)
	}
	for i := 0; i < len(remarks); i++ {
		used, err := compareRemark(d, remarks[i:])
		if err != nil {
			return err
		}
		i += used
	}
	if d.Alarm != slices.Contains(remarks, "alarm") {
		return fmt.Errorf("alarm is %v", d.Alarm)
	}
	return nil
}

// compareRemark looks at one remark and says how many words behind it belong to it.
func compareRemark(d Decision, words []string) (int, error) {
	value := ""
	if len(words) > 1 {
		value = words[1]
	}
	switch words[0] {
	case "alarm":
		return 0, nil
	case "let-through": // the mode does not enforce
		return 0, differs(d.Do(), ActionAllow)
	case "stopped":
		return 0, differs(d.Do(), ActionBlock)
	case "told":
		return 0, differs(d.Tell(), true)
	case "not-told":
		return 0, differs(d.Tell(), false)
	case "violation":
		return 0, differs(d.Violation(), true)
	case "no-violation":
		return 0, differs(d.Violation(), false)
	case "clause":
		return 1, differs(d.Clause, value)
	case "revision":
		return 1, differs(strconv.FormatInt(d.Revision, 10), value)
	case "until":
		return 1, differs(d.Until.Format("15:04"), value)
	}
	return 0, fmt.Errorf("cannot understand remark %q", words[0])
}

func differs[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("it is %v, not %v", got, want)
	}
	return nil
}

func reason(d Decision) string {
	if d.Grant != "" {
		return "grant " + d.Grant
	}
	return d.Rule
}

// askNext compares NextChange: HH:MM the answers change at HH:MM|never.
func (s *situation) askNext(words []string) error {
	if len(words) != 6 || strings.Join(words[1:5], " ") != "the answers change at" {
		return fmt.Errorf("write: after HH:MM the answers change at HH:MM")
	}
	now, err := clock(words[0])
	if err != nil {
		return err
	}
	want := time.Time{}
	if words[5] != "never" {
		if want, err = clock(words[5]); err != nil {
			return err
		}
	}
	s.asked++
	if got := NextChange(s.policy, now); !got.Equal(want) {
		return fmt.Errorf("the answers change at %s", got.Format("15:04"))
	}
	return nil
}
