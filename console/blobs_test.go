package main

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"sekisho/console/depot"
)

func TestWhatTerminalsFetchIsFoundInEitherFolder(t *testing.T) {
	var both blobs
	for range 2 {
		d, err := depot.Open(t.TempDir(), nil, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, d)
	}
	hash, err := both[1].Put([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := both.Open(hash)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "{}" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	if _, err := both.Open(strings.Repeat("0", 64)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what nobody keeps: %v", err)
	}
}
