package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatAppLockerWouldBeToldIsShown(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "software.json")
		mustDo(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := file(`{"mode":"enforce","undecided":"report","stall":"allow","rules":[
		{"id":"n","name":{"ja":"禁止"},"match":{"name":["winny.exe"]},"action":"block"},{"id":"m","name":{"ja":"禁止"},"match":{"publisher":["Acme*"]},"action":"block"}]}`)
	code, out, said := say(t, "applocker", "--policy", good)
	if code != exitOK || !strings.Contains(out, `Path="*\winny.exe"`) || !strings.Contains(out, `EnforcementMode="Enabled"`) || !strings.Contains(said, "m (Exe)") {
		t.Errorf("%d %q %q", code, out, said)
	}
	if code, _, said := say(t, "applocker", "--policy", file(`{"mode":"enforce","undecided":"report","stall":"allow"}`)); code != exitOK || !strings.Contains(said, "told nothing") {
		t.Errorf("%d %q", code, said)
	}
	for _, text := range []string{"{", `{"mode":"fly"}`, "null"} {
		if code, _, said := say(t, "applocker", "--policy", file(text)); text != "null" && (code != exitFailed || !strings.Contains(said, "cannot")) {
			t.Errorf("%s: %d %q", text, code, said)
		}
	}
	if code, _, said := say(t, "applocker", "--policy", filepath.Join(dir, "none")); code != exitFailed || !strings.Contains(said, "cannot read") {
		t.Errorf("%d %q", code, said)
	}
}

func TestAProgramsHashesAreShown(t *testing.T) {
	if code, out, _ := say(t, "applocker", "--file", "sensor/binary/testdata/signed.dll"); code != exitOK || !strings.Contains(strings.ToUpper(out), "25C3D410CBAD3270") {
		t.Errorf("%d %q", code, out)
	}
	if code, _, said := say(t, "applocker", "--file", t.TempDir()); code != exitFailed || !strings.Contains(said, "cannot read") {
		t.Errorf("%d %q", code, said)
	}
}
