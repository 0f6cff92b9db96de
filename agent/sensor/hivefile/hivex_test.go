//go:build !windows

package hivefile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/agent/sensor/hivefile/hivetest"
)

// edited lets another program, hivex, change a hive: it reads what hivetest builds, and writes what is read here.
func edited(t *testing.T, script ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hive")
	put(t, path, hivetest.Bytes(hivetest.At(uninstall, program("ゲーム箱", "x"))))
	cmd := exec.Command("hivexsh", "-w", path)
	cmd.Stdin = strings.NewReader(strings.Join(append(script, "commit", "exit", ""), "\n"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("hivexsh (package libhivex-bin): %v\n%s", err, out)
	}
	f, err := load(filepath.Dir(path), "hive")
	if err != nil {
		t.Fatal(err)
	}
	return f.hive
}

func TestAHiveThatAnotherProgramWroteIsRead(t *testing.T) {
	raw := edited(t, `cd \`+uninstall, "add Zip", "cd Zip", "setval 4", "DisplayName", "string:7-Zip", "EstimatedSize", "dword:0x1234", "Publisher", "hex:1:41,00,42", "Odd", "hex:9:"+strings.TrimSuffix(strings.Repeat("ab,", 250), ","),
		"cd ..", "add Empty")
	a := read(ask("DisplayName", "EstimatedSize", "Publisher", "Odd"), files{hive: raw})
	if a.Code != "" || strings.Join(names(a), " ") != "Empty Zip ゲーム箱" {
		t.Fatalf("%q %s", names(a), a.Fault)
	}
	v := a.Entries[1].Values
	if string(v["DisplayName"].Data) != string(hivetest.UTF16("7-Zip\x00")) || string(v["EstimatedSize"].Data) != "\x34\x12\x00\x00" || string(v["Publisher"].Data) != "A\x00B" || v["Odd"].Kind != 9 || len(v["Odd"].Data) != 250 {
		t.Errorf("%+v", v)
	}
}

// TestWhatIsBuiltForTestsIsAHive: another program finds in it what was put in.
func TestWhatIsBuiltForTestsIsAHive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hive")
	put(t, path, hanako(program("ゲーム箱", "ゲーム箱　６"), program("Zip", "7-Zip")))
	cmd := exec.Command("hivexsh", path)
	cmd.Stdin = strings.NewReader(`cd \` + uninstall + "\nls\ncd ゲーム箱\nlsval DisplayName\nlsval EstimatedSize\n")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "Zip\nゲーム箱\nゲーム箱　６\n7\n" {
		t.Errorf("%v: %q", err, out)
	}
}

// TestALinkIsNotFollowed, not even to see when the file was written. A Wine has no links for programs.
func TestALinkIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "NTUSER.DAT"), hanako())
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Mark(dir, `link\NTUSER.DAT`); !is(err, Failed) {
		t.Error(err)
	}
}
