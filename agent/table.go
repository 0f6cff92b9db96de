package main

import (
	"fmt"
	"io"
	"strings"
)

// table prints rows in columns. Japanese letters are two cells wide, which text/tabwriter does not know.
func table(w io.Writer, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 { // the last cell of a row pushes nobody
				widths[i] = max(widths[i], cells(cell))
			}
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-cells(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// cells is the width on a terminal: East Asian wide and full-width letters take two
// (https://www.unicode.org/reports/tr11/), roughly: what comes from Hangul Jamo on is wide, except half-width kana.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
			r >= 0xf900 && r <= 0xfaff || r >= 0xff01 && r <= 0xff60 || r >= 0x20000 && r <= 0x3fffd {
			n++
		}
	}
	return n
}
