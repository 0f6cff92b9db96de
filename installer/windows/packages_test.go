//go:build packages && linux

package windows

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Needs scripts/package's programs and osslsigncode; nothing outside of temporary folders is written.

const version = "1.2.3+5.gabcdef012345"

// packed builds one format and gives its folder.
func packed(t *testing.T, only string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("../../scripts/package", "--only", only, version)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1764000000", "SEKISHO_DIST="+dir)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot package: %v\n%s", err, out)
	}
	return dir
}

// say runs a program of msitools in the code page of Japanese Windows.
func say(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "WINDOWS_LANGUAGE=ja_JP", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

func TestWindowsPackagesAreTheSameTwice(t *testing.T) {
	first, second := packed(t, "msi,zip-amd64"), packed(t, "msi,zip-amd64")
	names, err := os.ReadDir(first)
	if err != nil || len(names) != 8 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, n := range names {
		a, err := os.ReadFile(filepath.Join(first, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(second, n.Name())); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs the second time: %v", n.Name(), err)
		}
	}
	say(t, "sh", "-c", "cd "+first+" && sha256sum --strict -c SHA256SUMS")
	t.Run("tables", func(t *testing.T) { tables(t, one(t, first, "*_windows_amd64.msi")) })
	t.Run("summary", func(t *testing.T) {
		for pattern, template := range map[string]string{"*_amd64.msi": "x64;1041", "*_arm64.msi": "Arm64;1041"} {
			has(t, say(t, "msiinfo", "suminfo", one(t, first, pattern)), "Template: "+template+"\n", "Subject: Sekisho 端末エージェント\n", "Created: Mon Nov 24 16:00:00 2025\n")
		}
	})
	t.Run("zip", func(t *testing.T) {
		has(t, say(t, "unzip", "-l", one(t, first, "sekisho-agent_*_amd64.zip")), "sekisho-agent-"+version+"/sekisho-agent.exe", "sbom.cdx.json", "NOTICES.txt")
	})
}

// tables looks at what wixl or msibuild could have dropped without a word.
func tables(t *testing.T, msi string) {
	table := func(name string) string { return say(t, "msiinfo", "export", msi, name) }
	has(t, table("Property"), "ProductName\tSekisho 端末エージェント\n", "ProductVersion\t1.2.3\n", "ALLUSERS\t1\n", "MsiHiddenProperties\tTOKEN;Configure\n",
		"REINSTALLMODE\tamus\n", "版 "+version+"\n", ";SERVER;TOKEN;FINGERPRINT;PURGE;INSTALLDIR\n")
	// 18 a program that was installed, 1024 deferred, 2048 as the system, 8192 not in logs.
	has(t, table("CustomAction"), "Configure\t11282\tAgentExe\tinstall --package ", "Farewell\t3090\tAgentExe\tuninstall --package ")
	has(t, table("LaunchCondition"), "より新しい版の", "https:// で始まる", "SERVER も指定", "FINGERPRINT(管理コンソール")
	has(t, table("Upgrade"), "\t\t1.2.3\t\t513\t\tWIX_UPGRADE_DETECTED\n", "\t1.2.3\t\t\t2\t\tWIX_DOWNGRADE_DETECTED\n")
	has(t, table("Error"), "1722\tSekisho 端末エージェント")
	has(t, table("Environment"), "=-*PATH\t[~];[INSTALLDIR]")
	has(t, table("_ForceCodepage"), "932\t_ForceCodepage")
	inOrder(t, table("InstallExecuteSequence"), "AppSearch", "KeepFolder", "AlsoPurge", "LaunchConditions", "CostFinalize", "InstallInitialize", "RemoveExistingProducts",
		"StopServices", "Farewell", "DeleteServices", "RemoveFiles", "InstallFiles", "InstallServices", "Configure", "StartServices", "InstallFinalize")
}

// inOrder holds when a sequence has these actions one after another.
func inOrder(t *testing.T, sequence string, actions ...string) {
	t.Helper()
	at := map[string]string{}
	for line := range strings.Lines(sequence) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 3 {
			at[f[0]] = strings.Repeat("0", max(0, 6-len(f[2]))) + f[2]
		}
	}
	numbers := make([]string, len(actions))
	for i, a := range actions {
		if numbers[i] = at[a]; numbers[i] == "" {
			t.Errorf("%s is not in the sequence", a)
		}
	}
	if !slices.IsSorted(numbers) {
		t.Errorf("%q have the numbers %q", actions, numbers)
	}
}

func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

func TestWindowsPackagesAreSignedWhenThereIsACertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	say(t, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=Thrown away",
		"-addext", "extendedKeyUsage=codeSigning", "-addext", "basicConstraints=critical,CA:FALSE")
	dist := packed(t, "msi-amd64,zip-amd64", "SEKISHO_SIGN_CERT="+cert, "SEKISHO_SIGN_KEY="+key, "SOURCE_DATE_EPOCH=")
	msi := one(t, dist, "*.msi")
	inside := t.TempDir()
	say(t, "unzip", "-q", "-j", one(t, dist, "sekisho-agent_*.zip"), "-d", inside)
	say(t, "msiextract", "-C", inside, msi)
	for _, file := range []string{msi, filepath.Join(inside, "sekisho-agent.exe"), one(t, inside, "Sekisho/sekisho-agent.exe")} {
		has(t, say(t, "osslsigncode", "verify", "-CAfile", cert, "-in", file), "Signature verification: ok", "CN=Thrown away")
	}
	raw, err := os.ReadFile(msi)
	if err != nil {
		t.Fatal(err)
	}
	raw[bytes.Index(raw, []byte("uninstall --package"))]++
	if err := os.WriteFile(msi, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("osslsigncode", "verify", "-CAfile", cert, "-in", msi).CombinedOutput(); err == nil {
		t.Errorf("a changed MSI is not noticed:\n%s", out)
	}
}

func TestWhatCannotBePackagedIsSaid(t *testing.T) {
	for want, c := range map[string][]string{
		"cannot carry version 1.256.0":           {"--only", "msi-amd64", "1.256.0"},
		"unknown format exe":                     {"--only", "exe"},
		"cannot read /nowhere/cert.pem":          {"SEKISHO_SIGN_CERT=/nowhere/cert.pem", "--only", "msi-amd64", "1.0"},
		"SEKISHO_SIGN_KEY belong together":       {"SEKISHO_SIGN_CERT=/dev/null", "--only", "msi-amd64", "1.0"},
		"cannot use version x":                   {"x"},
		"usage: scripts/package [--only FORMAT,": {"--only"},
	} {
		var args, env []string
		for _, word := range c {
			if strings.Contains(word, "=") {
				env = append(env, word)
			} else {
				args = append(args, word)
			}
		}
		cmd := exec.Command("../../scripts/package", args...)
		cmd.Env = append(append(os.Environ(), "SEKISHO_DIST="+t.TempDir()), env...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v\n%s", c, err, out)
		}
	}
}
