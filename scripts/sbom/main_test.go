package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAProgramTellsWhatItIsMadeOf(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &again} {
		if err := run(w, self, "sekisho-test", "1.2", time.Unix(0, 0), "../../console/web/assets/package-lock.json"); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != again.String() {
		t.Error("the same program gave two lists")
	}
	var b bom
	if err := json.Unmarshal(first.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	if b.Metadata.Component.Version != "1.2" || b.Metadata.Timestamp != "1970-01-01T00:00:00Z" || b.Components[0].Name != "stdlib" {
		t.Errorf("%+v", b)
	}
	if !strings.Contains(first.String(), "pkg:npm/%40tabler/core@") || strings.Contains(first.String(), "axe-core") {
		t.Errorf("the pages' packages are wrong:\n%s", first.String())
	}
}

func TestWhatIsNoProgramIsSaid(t *testing.T) {
	err := run(&bytes.Buffer{}, "main.go", "x", "1", time.Unix(0, 0), "")
	if err == nil || !strings.HasPrefix(err.Error(), "cannot read what main.go is made of") {
		t.Error(err)
	}
}

func FuzzNPM(f *testing.F) {
	for _, seed := range []string{`{"packages":{"node_modules/@a/b":{"version":"1"}}}`, `{"packages":{"":{}}}`, `[]`, `{"packages":{"node_modules/":{"dev":true}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) { _, _ = npm(text) })
}
