package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// given finds where a result of pass is made, and not only looked at.
var given = regexp.MustCompile(`(?:[:(,{]|[^=!]=|return)\s*(?:policy\.)?(?:ResultPass\b|Result\("pass"\))`)

// TestOnlyTheHeadSaysPass: no part of an agent may call something compliant but what judges sound readings.
func TestOnlyTheHeadSaysPass(t *testing.T) {
	var found []string
	for _, dir := range []string{"../../agent", "../policy"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(text)) {
				if given.MatchString(line) && !strings.Contains(line, "map[Result]int") {
					found = append(found, filepath.Base(path)+": "+strings.TrimSpace(line))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) != 1 || !strings.HasPrefix(found[0], "verdict.go: v := s.verdict(ResultPass, code)") {
		t.Errorf("pass is said here:\n%s", strings.Join(found, "\n"))
	}
}
