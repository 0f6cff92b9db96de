package health

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

//go:embed support.json
var builtInSupport []byte

// supportTable says when support of which system ends. It is data: a newer one is imported at the console.
type supportTable struct {
	Made    string          `json:"made"`
	Systems []supportedLine `json:"systems"`
}

type supportedLine struct {
	ID      string `json:"id"`      // of os-release; of Windows its build
	Version string `json:"version"` // VERSION_ID, or what is before its first point
	Edition string `json:"edition,omitempty"`
	End     string `json:"end"` // the last day
}

const maxTable = 1 << 20

func (e *Eyes) supportTable() (supportTable, error) {
	if e.Support != nil {
		if b := e.Support(); b != nil {
			return parseSupport(b)
		}
	}
	return parseSupport(builtInSupport)
}

// parseSupport reads a table. One that is broken is refused whole: half a table would let systems pass by their absence.
func parseSupport(b []byte) (supportTable, error) {
	var t supportTable
	if len(b) > maxTable {
		return t, errors.New("cannot use the table of ends of support: it is too long")
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("cannot read the table of ends of support: %w", err)
	}
	if _, ok := day(t.Made); !ok || len(t.Systems) == 0 {
		return t, errors.New("cannot use the table of ends of support: it has no date or no lines")
	}
	for _, s := range t.Systems {
		if _, ok := day(s.End); !ok || s.ID == "" {
			return t, fmt.Errorf("cannot use the table of ends of support: line %s %s has no date", s.ID, s.Version)
		}
	}
	return t, nil
}

// end gives the moment at which the last day of a system is over.
func (t supportTable) end(id, version string) (time.Time, bool) {
	major, _, _ := strings.Cut(version, ".")
	for _, want := range []string{version, major} {
		for _, s := range t.Systems {
			if s.ID == id && s.Version == want && s.Edition == "" {
				at, _ := day(s.End)
				return at.AddDate(0, 0, 1), true
			}
		}
	}
	return time.Time{}, false
}
