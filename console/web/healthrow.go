package web

import (
	"html"
	"html/template"
	"net/url"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// cells writes a row's cells. A page has thousands of them, and a template takes its time for each; every word from outside is
// escaped here.
func (p *pages) cells(row matrixRow, columns []column, now time.Time) template.HTML {
	var b strings.Builder
	sheet := html.EscapeString("/terminals/" + url.PathEscape(row.ID) + "/health#")
	for i, c := range row.Cells {
		look, label := p.result(c.Result), p.cellTitle(columns[i].Name, c, now)
		b.WriteString(`<td class="m ` + look.Class)
		if c.Result == policy.ResultFail && c.Stage == policy.StageViolation && c.Waiver == "" {
			b.WriteString(` hot`)
		}
		b.WriteString(`"><a href="` + sheet + html.EscapeString(url.PathEscape(c.Check)) + `" title="` + html.EscapeString(label) + `">`)
		b.WriteString(string(icon(look.Icon)))
		b.WriteString(`<span>` + html.EscapeString(p.words.say("health.short."+string(resultOr(c.Result)))))
		if c.Waiver != "" && c.Result != policy.ResultPass {
			b.WriteString(`<small>` + html.EscapeString(p.words.say("health.waiver")) + `</small>`)
		}
		b.WriteString(`</span></a></td>`)
	}
	return template.HTML(b.String())
}

func resultOr(r policy.Result) policy.Result {
	if _, ok := resultLooks[r]; ok {
		return r
	}
	return policy.ResultUnknown
}

// cellTitle says in a line what the cell means.
func (p *pages) cellTitle(name string, c cellView, now time.Time) string {
	parts := []string{name + ": " + p.result(c.Result).Word}
	if c.Result == unreported || c.Result == unchecked {
		return parts[0]
	}
	if c.Result == policy.ResultFail {
		parts = append(parts, p.words.say("health.stage."+stageWord(c.Stage)))
	}
	if c.Code != "" {
		parts = append(parts, p.why(c.Code))
	}
	if !c.Since.IsZero() && c.Result != policy.ResultPass {
		parts = append(parts, p.words.say("health.since", p.cal.short(c.Since)))
	}
	if c.Waiver != "" {
		parts = append(parts, p.words.say("health.waiver.is", c.Waiver))
	}
	return strings.Join(parts, p.words.say("list.comma"))
}

// healthCSV writes exactly the rows and columns that the matrix shows under the same address, all its pages.
func (s *server) healthCSV(r *request) error {
	p, v := s.pages[r.lang], readHealthView(r.URL.Query())
	fleet, err := s.DB.HealthFleet(r.Context(), "")
	if err != nil {
		return err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return err
	}
	m := s.newMatrix(p, v, groups, r.now)
	m.look(fleet)
	h := r.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="health-`+r.now.In(p.cal.zone).Format("20060102-1504")+`.csv"`)
	out := newTable(r.w)
	head := []string{p.words.say("terminal"), p.words.say("group")}
	for _, c := range m.columns {
		head = append(head, c.Name.In(p.cal.lang))
	}
	out.row(head...)
	for _, one := range m.chosen {
		row := m.row(one)
		cells := []string{row.Name, row.GroupName}
		for _, c := range row.Cells {
			cells = append(cells, p.csvCell(c))
		}
		out.row(cells...)
	}
	return out.end()
}

func (p *pages) csvCell(c cellView) string {
	text := p.result(c.Result).Word
	if c.Result == policy.ResultFail {
		text += "(" + p.words.say("health.stage."+stageWord(c.Stage)) + ")"
	}
	if c.Waiver != "" && c.Result != policy.ResultPass {
		text += " " + p.words.say("health.waiver.is", c.Waiver)
	}
	return text
}
