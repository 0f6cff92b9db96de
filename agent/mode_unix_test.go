//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAConfigurationCanBeReadByNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sekisho", "agent.yaml")
	if err := (config{Server: "https://console:8444", State: defaultState}).write(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
