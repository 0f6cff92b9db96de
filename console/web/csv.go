package web

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxExport bounds one file; the last line says so when there was more.
const maxExport = 20000

// violationsCSV writes exactly the rows that the list shows under the same address, all its pages.
func (s *server) violationsCSV(r *request) error {
	p, v := s.pages[r.lang], readView(r.URL.Query())
	v.Before, v.Skip = 0, 0
	f := v.filter(r.now, p.cal)
	f.Limit = 500
	h := r.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="violations-`+r.now.In(p.cal.zone).Format("20060102-1504")+`.csv"`)
	out := newTable(r.w)
	out.row(p.csvHead()...)
	for n := 0; n < maxExport; n += f.Limit {
		list, err := s.DB.Events(r.Context(), f)
		if err != nil {
			return out.broken(s, err)
		}
		for _, row := range p.events(list) {
			out.row(p.csvRow(row)...)
		}
		if len(list) < f.Limit {
			return out.end()
		}
		f.Before = list[len(list)-1].ID
	}
	out.row(p.words.say("csv.cut", maxExport))
	return out.end()
}

func (p *pages) csvHead() []string {
	var head []string
	for _, key := range []string{"id", "at", "title", "detail", "terminal", "group", "user", "serial", "outcome", "rule", "clause", "state", "severity"} {
		head = append(head, p.words.say("csv."+key))
	}
	return head
}

func (p *pages) csvRow(v eventView) []string {
	return []string{
		strconv.FormatInt(v.ID, 10), v.At.In(p.cal.zone).Format(time.DateTime), v.Title, v.Detail, v.TerminalName, v.GroupName,
		v.User, v.Serial, p.outcome(v.Result()).Word, v.Rule, v.Clause, p.handling(v.State).Word, p.words.word("severity", v.Severity),
	}
}

// table is a CSV file for a spreadsheet: UTF-8 with a byte order mark, no cell that could act as a formula.
type table struct{ w *csv.Writer }

func newTable(w io.Writer) *table {
	io.WriteString(w, "\uFEFF") // without it Japanese spreadsheets read Shift_JIS
	t := &table{csv.NewWriter(w)}
	t.w.UseCRLF = true
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = inert(c)
	}
	t.w.Write(cells)
}

// inert makes a cell plain text: what begins like a formula gets an apostrophe, as spreadsheets understand it.
// Japanese spreadsheets take full-width signs as well (https://owasp.org/www-community/attacks/CSV_Injection), some trim blanks.
func inert(cell string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " \u3000"))
	if strings.ContainsRune("=+-@＝＋－＠\t\r\n", first) {
		return "'" + cell
	}
	return cell
}

func (t *table) end() error {
	t.w.Flush()
	return t.w.Error()
}

// broken ends a file that could not be read to its end, visibly: the answer has begun already.
func (t *table) broken(s *server, err error) error {
	s.Log.Error().Err(err).Msg("cannot write all rows of a file")
	t.row("ERROR")
	return t.end()
}
