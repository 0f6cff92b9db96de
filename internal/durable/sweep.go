package durable

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// litter is the form of the temporary names that WriteFile makes.
var litter = regexp.MustCompile(`^\..+\.tmp-[0-9]+$`)

// underWay is how long a temporary file may be in use: another process may be writing at this moment.
const underWay = time.Minute

// Sweep removes what writes that a power cut or a kill interrupted have left in a folder. Its owner calls it at start.
// A folder that is not there has nothing to sweep.
func Sweep(dir string, now time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("cannot sweep folder %s: %w", dir, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !litter.MatchString(e.Name()) || now.Sub(info.ModTime()).Abs() < underWay {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("cannot sweep folder %s: %w", dir, err)
		}
	}
	return nil
}
