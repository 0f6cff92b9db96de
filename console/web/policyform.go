package web

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// policyForm is a policy as its form's fields hold it, text as typed.
type policyForm struct {
	Mode    string     `json:"mode"`
	Contact string     `json:"contact"`
	Phone   string     `json:"phone"`
	Reason  string     `json:"reason"`
	Rules   []ruleForm `json:"rules"`
	unread  map[string]string
}

// ruleForm is one rule's fields. Lists are typed with commas.
type ruleForm struct {
	ID, NameJA, NameEN, Action, Clause string
	Alarm, Composite                   bool
	Kinds                              map[policy.Kind]bool
	Bus, Class, Groups                 string
	Vendor, Product, Serial, Port      string
	Min, Max                           string
	Match                              policy.Match `json:"-"` // as read, for the summary
}

func formOf(g store.GroupPolicy) policyForm {
	f := policyForm{Mode: string(g.Control.Mode), Contact: g.Contact.Name, Phone: g.Contact.Phone}
	for _, rule := range g.Control.Rules {
		f.Rules = append(f.Rules, ruleFormOf(rule))
	}
	return f
}

func ruleFormOf(rule policy.Rule) ruleForm {
	m := rule.Match
	f := ruleForm{
		ID: rule.ID, NameJA: rule.Name.JA, NameEN: rule.Name.EN, Action: string(rule.Action), Clause: rule.Clause,
		Alarm: rule.Alarm, Composite: m.Composite, Kinds: map[policy.Kind]bool{}, Bus: strings.Join(m.Bus, ", "),
		Class: strings.Join(m.Class, ", "), Groups: strings.Join(m.Group, ", "), Vendor: m.Vendor, Product: m.Product,
		Serial: m.Serial, Port: m.Port, Min: gigabytes(m.MinCapacity), Max: gigabytes(m.MaxCapacity), Match: m,
	}
	for _, k := range m.Kind {
		f.Kinds[k] = true
	}
	return f
}

func gigabytes(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', -1, 64)
}

// readPolicyForm reads the fields; rules are numbered from 0 without holes.
func readPolicyForm(v url.Values) policyForm {
	f := policyForm{
		Mode: v.Get("mode"), Contact: strings.TrimSpace(v.Get("contact.name")), Phone: strings.TrimSpace(v.Get("contact.phone")),
		Reason: strings.TrimSpace(v.Get("reason")), unread: map[string]string{},
	}
	for i := 0; i <= policy.MaxRules && v.Has("r"+strconv.Itoa(i)+".id"); i++ {
		f.Rules = append(f.Rules, f.readRule(v, i))
	}
	return f
}

func (f *policyForm) readRule(v url.Values, i int) ruleForm {
	at := "r" + strconv.Itoa(i) + "."
	get := func(name string) string { return strings.TrimSpace(v.Get(at + name)) }
	rule := ruleForm{
		ID: get("id"), NameJA: get("name.ja"), NameEN: get("name.en"), Action: get("action"), Clause: get("clause"),
		Alarm: get("alarm") != "", Composite: get("match.composite") != "", Kinds: map[policy.Kind]bool{},
		Bus: get("match.bus"), Class: get("match.class"), Groups: get("match.group"), Vendor: strings.ToLower(get("match.vendor")),
		Product: strings.ToLower(get("match.product")), Serial: v.Get(at + "match.serial"), Port: get("match.port"),
		Min: get("match.min_capacity"), Max: get("match.max_capacity"),
	}
	for _, k := range v[at+"match.kind"] {
		rule.Kinds[policy.Kind(k)] = true
	}
	rule.Match = f.readMatch(rule, at)
	return rule
}

func (f *policyForm) readMatch(r ruleForm, at string) policy.Match {
	m := policy.Match{
		Bus: commas(r.Bus), Composite: r.Composite, Class: commas(strings.ToLower(r.Class)), Vendor: r.Vendor, Product: r.Product,
		Serial: r.Serial, Port: r.Port, Group: commas(r.Groups),
		MinCapacity: f.bytes(r.Min, at+"match.min_capacity"), MaxCapacity: f.bytes(r.Max, at+"match.max_capacity"),
	}
	for _, k := range order {
		if r.Kinds[k] {
			m.Kind = append(m.Kind, k)
		}
	}
	return m
}

// bytes reads gigabytes; what is no number is remembered as unread rather than taken as nothing.
func (f *policyForm) bytes(text, field string) int64 {
	if text == "" {
		return 0
	}
	gb, err := strconv.ParseFloat(narrow(text), 64)
	if err != nil || gb < 0 || gb > 1e6 {
		f.unread[field] = "edit.bad_size"
		return 0
	}
	return int64(gb * 1e9)
}

func commas(text string) []string {
	var list []string
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '、' || r == ' ' || r == '\n' }) {
		list = append(list, one)
	}
	return list
}

// step edits the list of rules and says which rule to show open.
func (f *policyForm) step(do string, n int) int {
	in := n >= 0 && n < len(f.Rules)
	switch {
	case do == "add":
		return f.add()
	case !in:
	case do == "up" && n > 0:
		f.Rules[n-1], f.Rules[n] = f.Rules[n], f.Rules[n-1]
		return n - 1
	case do == "down" && n < len(f.Rules)-1:
		f.Rules[n+1], f.Rules[n] = f.Rules[n], f.Rules[n+1]
		return n + 1
	case do == "delete":
		f.Rules = append(f.Rules[:n], f.Rules[n+1:]...)
		return -1
	}
	return n
}

// add puts a new rule before the first, where it is seen to matter: the first match wins.
func (f *policyForm) add() int {
	b := make([]byte, 3)
	rand.Read(b)
	rule := ruleForm{ID: "rule-" + hex.EncodeToString(b), Action: string(policy.ActionBlock), Kinds: map[policy.Kind]bool{}}
	f.Rules = append([]ruleForm{rule}, f.Rules...)
	return 0
}

func (f *policyForm) policy(group string) store.GroupPolicy {
	g := store.GroupPolicy{
		Group: group, Control: policy.Control{Mode: policy.Mode(f.Mode)},
		Contact: policy.Contact{Name: f.Contact, Phone: f.Phone}, Reason: f.Reason,
	}
	for _, r := range f.Rules {
		g.Control.Rules = append(g.Control.Rules, policy.Rule{
			ID: r.ID, Name: policy.Text{JA: r.NameJA, EN: r.NameEN}, Match: r.Match,
			Action: policy.Action(r.Action), Clause: r.Clause, Alarm: r.Alarm,
		})
	}
	return g
}
