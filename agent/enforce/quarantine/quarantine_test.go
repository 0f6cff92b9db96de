package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// desk is a user's folder with a program in it, and a room beside.
func desk(t *testing.T, text string) (Room, string) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ダウンロード", "悪い プログラム.exe")
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o700))
	at := time.Unix(1000, 0)
	return Open(filepath.Join(dir, "Sekisho", "quarantine"), func(dir string) error { return os.MkdirAll(dir, 0o700) }, func() time.Time { at = at.Add(time.Second); return at }), path
}

func count(t *testing.T, r Room, want int) []Entry {
	t.Helper()
	list, err := r.List()
	if err != nil || len(list) != want {
		t.Fatalf("%d in quarantine, not %d: %v", len(list), want, err)
	}
	return list
}

func TestAFileGoesIntoQuarantineAndComesBack(t *testing.T) {
	r, path := desk(t, "evil")
	count(t, r, 0)
	e, err := r.Take(path, hashOf("evil"), "forbid-1")
	must(t, err)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if got := count(t, r, 1)[0]; got != e || got.Rule != "forbid-1" || got.Size != 4 || got.Path != path {
		t.Errorf("%+v", got)
	}
	kept, err := filepath.Glob(filepath.Join(r.dir, "*"))
	must(t, err)
	for _, k := range kept {
		if ext := filepath.Ext(k); ext != ".json" && ext != ".kept" {
			t.Errorf("%s lies in quarantine", k)
		}
	}
	back, err := r.Restore(e.ID)
	must(t, err)
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "evil" || back.Path != path {
		t.Errorf("%q %v", raw, err)
	}
	count(t, r, 0)
	if left, _ := os.ReadDir(r.dir); len(left) != 0 {
		t.Errorf("left in quarantine: %v", left)
	}
}

func TestAFileThatWasChangedSinceItWasJudgedStays(t *testing.T) {
	r, path := desk(t, "good")
	if _, err := r.Take(path, hashOf("evil"), "x"); !errors.Is(err, ErrChanged) {
		t.Errorf("%v", err)
	}
	if raw, _ := os.ReadFile(path); string(raw) != "good" {
		t.Errorf("%q", raw)
	}
	count(t, r, 0)
	if left, _ := os.ReadDir(r.dir); len(left) != 0 {
		t.Errorf("left in quarantine: %v", left)
	}
}

func TestTwoCopiesAreTwoEntriesOfOneContent(t *testing.T) {
	r, path := desk(t, "evil")
	other := filepath.Join(filepath.Dir(path), "copy.exe")
	must(t, os.WriteFile(other, []byte("evil"), 0o700))
	one, err := r.Take(path, hashOf("evil"), "x")
	must(t, err)
	two, err := r.Take(other, hashOf("evil"), "x")
	must(t, err)
	count(t, r, 2)
	_, err = r.Restore(one.ID)
	must(t, err)
	_, err = r.Restore(two.ID)
	must(t, err)
	if raw, err := os.ReadFile(other); err != nil || string(raw) != "evil" {
		t.Errorf("%q %v", raw, err)
	}
}

func TestWhatStandsThereNowIsNotReplaced(t *testing.T) {
	r, path := desk(t, "evil")
	e, err := r.Take(path, hashOf("evil"), "x")
	must(t, err)
	must(t, os.WriteFile(path, []byte("new"), 0o600))
	if _, err := r.Restore(e.ID); err == nil {
		t.Error("it was restored over another file")
	}
	if raw, _ := os.ReadFile(path); string(raw) != "new" {
		t.Errorf("%q", raw)
	}
	count(t, r, 1)
}

func TestWhatWasChangedInQuarantineIsNotBroughtBack(t *testing.T) {
	r, path := desk(t, "evil")
	e, err := r.Take(path, hashOf("evil"), "x")
	must(t, err)
	must(t, os.WriteFile(r.content(e.Hash), []byte("worse"), 0o600))
	if _, err := r.Restore(e.ID); err == nil {
		t.Error("something else was brought back")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it stands there: %v", err)
	}
}

func TestNoNumberNoFolderAndForeignNotesHarmNothing(t *testing.T) {
	r, path := desk(t, "evil")
	for _, id := range []string{"", "..", "../x", "deadbeef"} {
		if _, err := r.Restore(id); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := r.Take(filepath.Dir(path), hashOf("evil"), "x"); err == nil {
		t.Error("a folder was taken")
	}
	if _, err := r.Take(path+"-", hashOf("evil"), "x"); err == nil {
		t.Error("nothing was taken")
	}
	_, err := r.Take(path, hashOf("evil"), "x")
	must(t, err)
	for name, text := range map[string]string{"a.json": `{"id":"a","hash":"../../x","path":"/x"}`, "b.json": "{", "c.json": strings.Repeat(" ", maxNote+1)} {
		must(t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600))
	}
	list, err := r.List()
	if err == nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}
