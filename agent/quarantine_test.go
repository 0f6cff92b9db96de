package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/agent/enforce/quarantine"
)

func TestAnAdministratorSeesWhatIsInQuarantineAndBringsItBack(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "悪い 道具.exe")
	mustDo(t, os.WriteFile(path, []byte("evil"), 0o600))
	room := quarantine.Open(filepath.Join(dir, "quarantine"), privateRoom, time.Now)
	var out bytes.Buffer
	s := streams{out: &out, err: &out}
	mustDo(t, listRoom(s, room))
	if !strings.Contains(out.String(), "No file is in quarantine") {
		t.Errorf("%q", out.String())
	}
	sum := sha256.Sum256([]byte("evil"))
	e, err := room.Take(path, hex.EncodeToString(sum[:]), "forbid-1")
	mustDo(t, err)
	out.Reset()
	mustDo(t, listRoom(s, room))
	if text := out.String(); !strings.Contains(text, e.ID) || !strings.Contains(text, "forbid-1") || strings.Count(text, "\n") != 2 {
		t.Errorf("%q", text)
	}
	out.Reset()
	mustDo(t, restoreOne(s, room, e.ID))
	if !strings.Contains(out.String(), "rule forbid-1 forbids it") {
		t.Errorf("%q", out.String())
	}
	if err := restoreOne(s, room, e.ID); err == nil || !strings.Contains(err.Error(), "quarantine list") {
		t.Errorf("%v", err)
	}
}
