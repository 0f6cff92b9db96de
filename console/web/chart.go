package web

import (
	"strconv"
	"time"

	"sekisho/console/store"
)

// chart is the bars of 14 days. Positions are in percent, so that letters keep their size on every screen.
type chart struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	Days []bar     `json:"days"`
}

// bar is one day: its numbers, and where its parts are drawn.
type bar struct {
	Day      time.Time `json:"day"`
	Blocked  int       `json:"blocked"`
	Detected int       `json:"detected"` // detected and audit: what was let through
	Failed   int       `json:"failed"`
	Total    int       `json:"total"`
	Off      bool      `json:"-"` // Saturday or Sunday
	Today    bool      `json:"-"`
	X        string    `json:"-"` // of the column
	BarX     string    `json:"-"`
	MidX     string    `json:"-"`
	Parts    []part    `json:"-"`
	LabelY   string    `json:"-"`
}

// part is a piece of a bar.
type part struct{ Class, Y, Height string }

const (
	chartTop  = 16.0
	chartBase = 146.0
	columns   = 14
)

func (p *pages) chart(days []store.Day, now time.Time) chart {
	c := chart{Days: make([]bar, 0, len(days))}
	if len(days) == 0 {
		return c
	}
	c.From, c.To = days[0].Day, days[len(days)-1].Day
	today, most := p.cal.startOfDay(now), 1
	for _, d := range days {
		most = max(most, d.Blocked+d.Detected+d.Audit+d.Failed)
	}
	for i, d := range days {
		b := bar{Day: d.Day, Blocked: d.Blocked, Detected: d.Detected + d.Audit, Failed: d.Failed}
		b.Total = b.Blocked + b.Detected + b.Failed
		wd := d.Day.In(p.cal.zone).Weekday()
		b.Off, b.Today = wd == time.Saturday || wd == time.Sunday, p.cal.startOfDay(d.Day).Equal(today)
		b.place(i, len(days), most)
		c.Days = append(c.Days, b)
	}
	return c
}

func (b *bar) place(i, of, most int) {
	width := 100 / float64(of)
	b.X, b.BarX, b.MidX = percent(width*float64(i)), percent(width*(float64(i)+0.2)), percent(width*(float64(i)+0.5))
	unit, y := (chartBase-chartTop-4)/float64(most), chartBase
	for _, piece := range []struct {
		class string
		n     int
	}{{"f-blocked", b.Blocked}, {"f-detected", b.Detected}, {"f-failed", b.Failed}} {
		if piece.n == 0 {
			continue
		}
		h := unit * float64(piece.n)
		y -= h
		b.Parts = append(b.Parts, part{piece.class, oneDecimal(y), oneDecimal(max(1, h-1.2))})
	}
	b.LabelY = oneDecimal(y - 5)
}

func percent(v float64) string    { return strconv.FormatFloat(v, 'f', 3, 64) + "%" }
func oneDecimal(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
