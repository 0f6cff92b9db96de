package web

import (
	"strconv"
	"strings"

	"sekisho/console/store"
)

// refusals are what is wrong with a form's fields, in the order of the form.
type refusals struct {
	Problems map[string]string `json:"problems,omitempty"` // field -> words
	Order    []string          `json:"-"`
}

func (r *refusals) refuse(field, text string) {
	if _, have := r.Problems[field]; have {
		return
	}
	if r.Problems == nil {
		r.Problems = map[string]string{}
	}
	r.Problems[field] = sentence(text)
	r.Order = append(r.Order, field)
}

// sentence is a text as it stands alone: a policy says what is wrong with it in small letters.
func sentence(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// judgeReason says what is wrong with the reason that goes with a change, but for one that is missing: that is asked for last.
func (r *refusals) judgeReason(reason string, w words) {
	if len([]rune(reason)) > 1000 {
		r.refuse("reason", w.say("violation.reason_long"))
	}
}

// unread refuses the fields whose words nobody can read.
func (r *refusals) unread(fields map[string]string, w words) {
	for field, key := range fields {
		r.refuse(field, w.say(key))
	}
}

// policyOf is the group that the address names, and its policy.
func (s *server) policyOf(r *request) (g groupView, have store.GroupPolicy, err error) {
	if g, err = s.group(r); err != nil {
		return g, have, err
	}
	have, err = s.DB.GroupPolicy(r.Context(), g.ID, 0)
	return g, have, err
}

// affected names the terminals that a group's policy reaches.
func (s *server) affected(r *request, g groupView) (names []string, err error) {
	list, err := s.DB.Terminals(r.Context(), g.ID, "")
	for _, t := range list {
		names = append(names, t.Name)
	}
	return names, err
}

// press is what was done with the form of a policy: which button, on which row, and the version that the form began with.
type press struct {
	do      string
	row     int
	basedOn int64
}

// pressed reads it; the fields are in the request's PostForm afterwards.
func (s *server) pressed(r *request) (g groupView, p press, err error) {
	if g, err = s.group(r); err != nil {
		return g, p, err
	}
	if err := r.ParseForm(); err != nil {
		return g, p, errBadForm
	}
	do, row, _ := strings.Cut(r.PostFormValue("do"), ":")
	p = press{do: do, row: number(row)}
	p.basedOn, _ = strconv.ParseInt(r.PostFormValue("based_on"), 10, 64) // no number is no version: the form is refused as old
	return g, p, nil
}
