package web

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// formOfHealth writes a control into fields; what is not said is left empty.
func formOfHealth(h *policy.Health) map[string]string {
	f := map[string]string{"mode": string(h.Mode), "cal.name": h.Calendar.Name, "cal.closed": strings.Join(h.Calendar.Closed, "\n")}
	span := func(at string, s policy.Span) {
		f[at+".count"], f[at+".unit"] = strconv.FormatInt(s.Count, 10), s.Unit
	}
	if span("settle", h.Settle); h.Settle == (policy.Span{}) {
		f["settle.count"], f["settle.unit"] = "0", policy.UnitHours
	}
	for _, info := range policy.Catalogue() {
		c, limits := policy.Check{ID: info.ID, Off: true}, info.Limits
		if i := slices.IndexFunc(h.Checks, func(c policy.Check) bool { return c.ID == info.ID }); i >= 0 {
			c = h.Checks[i]
		}
		if !c.Off {
			f["on."+info.ID] = "1"
		}
		f["mode."+info.ID], f["allowed."+info.ID] = string(c.Mode), strings.Join(c.Allowed, "\n")
		if policy.Separable(info.ID) {
			f["separate."+info.ID] = cmp.Or(c.Separate, policy.SeparateReport)
		}
		for name, usual := range limits {
			if s, ok := c.Limits[name]; ok {
				usual = s
			}
			span("limit."+info.ID+"."+name, usual)
		}
		grace := info.Grace
		if c.Grace != nil {
			grace = *c.Grace
		}
		span("grace."+info.ID+".warning", graceSpan(grace.Warning))
		span("grace."+info.ID+".violation", graceSpan(grace.Violation))
	}
	return f
}

// graceSpan gives a grace that is nothing a unit.
func graceSpan(s policy.Span) policy.Span {
	if s.Unit == "" {
		s.Unit = policy.UnitWorkingDays
	}
	return s
}

// healthForm is the fields as they are read, with what could not be.
type healthForm struct {
	v      url.Values
	unread map[string]string // field -> key of what is wrong
}

func (f *healthForm) get(name string) string { return strings.TrimSpace(f.v.Get(name)) }

func (f *healthForm) span(at string) policy.Span {
	n, err := strconv.ParseInt(narrow(f.get(at+".count")), 10, 64)
	if err != nil || n < 0 {
		f.unread[at+".count"] = "health.edit.bad_number"
	}
	return policy.Span{Count: n, Unit: f.get(at + ".unit")}
}

// read makes a control of the fields; what the form does not show stays as it is in have.
func (f *healthForm) read(have policy.Health) policy.Health {
	h := have
	h.Mode, h.Settle = policy.Mode(f.get("mode")), f.span("settle")
	h.Calendar.Name = f.get("cal.name")
	var bad []string
	if h.Calendar.Closed, bad = readDays(f.v.Get("cal.closed")); len(bad) > 0 {
		f.unread["cal.closed"] = "health.edit.bad_days"
	}
	h.Checks = nil
	for _, info := range policy.Catalogue() {
		h.Checks = append(h.Checks, f.check(info, have))
	}
	return h
}

func (f *healthForm) check(info policy.CheckInfo, have policy.Health) policy.Check {
	c := policy.Check{ID: info.ID, Clause: info.Clause}
	if i := slices.IndexFunc(have.Checks, func(c policy.Check) bool { return c.ID == info.ID }); i >= 0 {
		c = have.Checks[i]
	}
	c.Off, c.Mode = f.get("on."+info.ID) == "", policy.Mode(f.get("mode."+info.ID))
	c.Limits, c.Grace, c.Allowed = nil, nil, nil
	for _, name := range sortedNames(info.Limits) {
		if s := f.span("limit." + info.ID + "." + name); s != info.Limits[name] {
			if c.Limits == nil {
				c.Limits = map[string]policy.Span{}
			}
			c.Limits[name] = s
		}
	}
	g := policy.Grace{Warning: f.span("grace." + info.ID + ".warning"), Violation: f.span("grace." + info.ID + ".violation")}
	if g.Warning != graceSpan(info.Grace.Warning) || g.Violation != graceSpan(info.Grace.Violation) {
		c.Grace = &g
	}
	// what only reports is not written: an agent of the version before reads such a policy too
	if c.Separate = ""; policy.Separable(info.ID) && f.get("separate."+info.ID) != policy.SeparateReport {
		c.Separate = f.get("separate." + info.ID)
	}
	if info.Lists {
		for line := range strings.SplitSeq(f.v.Get("allowed."+info.ID), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				c.Allowed = append(c.Allowed, line)
			}
		}
	}
	return c
}

// healthProblems is what is wrong with a group's control of checks, and with nothing else of its policy.
func healthProblems(want store.GroupPolicy) []policy.Problem {
	doc := policy.Policy{Schema: policy.Schema, Group: want.Group, RemovableMedia: want.Control, Health: want.Health, Clauses: policy.HealthClauses()}
	for id, c := range policy.DefaultClauses() {
		doc.Clauses[id] = c
	}
	return slices.DeleteFunc(doc.Validate(), func(p policy.Problem) bool { return !strings.HasPrefix(p.Path, "health.") })
}

var checkPath = regexp.MustCompile(`^checks\[(\d+)\]\.(limits\[(\w+)\]|grace\.(\w+)|mode|allowed|separate)`)

// healthField turns health.checks[2].limits[behind].count into limit.antivirus.patterns.behind.count.
func healthField(path string, h *policy.Health) string {
	rest := strings.TrimPrefix(path, "health.")
	if after, ok := strings.CutPrefix(rest, "calendar."); ok {
		name, _, _ := strings.Cut(after, "[")
		return "cal." + name
	}
	p := checkPath.FindStringSubmatch(rest)
	if p == nil || number(p[1]) >= len(h.Checks) {
		return rest
	}
	id := h.Checks[number(p[1])].ID
	switch {
	case p[3] != "":
		return "limit." + id + "." + p[3] + ".count"
	case p[4] != "":
		return "grace." + id + "." + p[4] + ".count"
	}
	return p[2] + "." + id
}
