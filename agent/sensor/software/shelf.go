package software

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/roll"
)

// shelf keeps what was seen last, a file for each source, so that what happens while nobody looks is noticed afterwards.
type shelf struct{ dir string }

// maxShelf bounds what is read back.
const maxShelf = 64 << 20

func (s shelf) file(name string) string { return filepath.Join(s.dir, name+".json") }

// get gives what was seen last; had is false when there was no look before.
func (s shelf) get(name string) (_ *roll.Roll, had bool, err error) {
	info, err := os.Stat(s.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil && info.Size() > maxShelf {
		err = errors.New("it is too long")
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read what was seen last: %w", err)
	}
	var programs []policy.Program
	raw, err := durable.ReadFile(s.file(name))
	if err == nil {
		err = json.Unmarshal(raw, &programs)
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read what was seen last: %w", err)
	}
	return roll.Of(programs), true, nil
}

func (s shelf) put(name string, programs *roll.Roll) error {
	raw, err := json.Marshal(programs.Programs())
	if err != nil {
		return fmt.Errorf("cannot keep what was seen: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("cannot keep what was seen: %w", err)
	}
	return durable.WriteFile(s.file(name), raw, 0o600)
}
