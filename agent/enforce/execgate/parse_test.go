package execgate

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

func ask(mask uint64, fd, pid int32) []byte {
	b := make([]byte, metadataSize)
	binary.NativeEndian.PutUint32(b, metadataSize)
	b[4] = metadataVersion
	binary.NativeEndian.PutUint16(b[6:], metadataSize)
	binary.NativeEndian.PutUint64(b[8:], mask)
	binary.NativeEndian.PutUint32(b[16:], uint32(fd))
	binary.NativeEndian.PutUint32(b[20:], uint32(pid))
	return b
}

func TestTheKernelsQuestionsAreRead(t *testing.T) {
	got, err := parseQuestions(append(ask(0x40000, 7, 99), ask(0x10000, -1, 1)...))
	if want := []question{{0x40000, 7, 99}, {0x10000, -1, 1}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range [][]byte{ask(1, 1, 1)[:23], append(ask(1, 1, 1), 1), func() []byte { b := ask(1, 1, 1); b[4] = 4; return b }(), make([]byte, 24)} {
		if _, err := parseQuestions(bad); err == nil {
			t.Errorf("%x is understood", bad)
		}
	}
}

func FuzzQuestions(f *testing.F) {
	f.Add(ask(1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseQuestions(b)
		if len(all)*metadataSize > len(b) || err == nil && len(b) > 0 && len(all) == 0 {
			t.Errorf("%d questions of %d bytes, %v", len(all), len(b), err)
		}
	})
}

func TestMountsAreReadWithTheirEscapes(t *testing.T) {
	text := "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n" +
		`25 1 0:24 / /media/taro/my\040stick\134 rw,noexec shared:3 - vfat /dev/sdb1 rw` + "\nnonsense\n1 2 x:y / / rw - ext4 a b\n"
	got := parseMounts(text)
	want := []mount{{deviceNumber(98, 0), "/mnt2", "ext3", false}, {deviceNumber(0, 24), `/media/taro/my stick\`, "vfat", true}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	for fs, is := range map[string]bool{"ext4": true, "vfat": true, "exfat": true, "tmpfs": true, "overlay": true, "fuse.sshfs": true, "proc": false, "devtmpfs": false} {
		if watched(fs) != is {
			t.Errorf("%s: watched is %v", fs, !is)
		}
	}
}

func FuzzMounts(f *testing.F) {
	f.Add("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n")
	f.Fuzz(func(t *testing.T, s string) { parseMounts(s) })
}

func TestWhatAWaitingThreadAskedForIsRead(t *testing.T) {
	c, ok := parseCall("257 0xffffff9c 0x7f0000001000 0x80000 0x0 0x0 0x0 0x7ffc00000000 0x7f12deadbeef\n")
	if !ok || c.number != 257 || c.args[2] != 0x80000 || c.pc != 0x7f12deadbeef {
		t.Errorf("%+v %v", c, ok)
	}
	for _, no := range []string{"running\n", "-1 0x7ffc00000000 0x7f12deadbeef\n", "", "257 0x1", "x 0 0 0 0 0 0 0 0"} {
		if _, ok := parseCall(no); ok {
			t.Errorf("%q is a call", no)
		}
	}
	maps := "7f12de000000-7f12df000000 r-xp 00001000 fe:00 1234 /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\n7f12df000000-7f12e0000000 r--p 0 00:00 0\n"
	if inode, path := mappedAt(maps, c.pc); inode != 1234 || !isLoader(path) {
		t.Errorf("%d %q", inode, path)
	}
	if _, path := mappedAt(maps, 5); path != "" || isLoader("/usr/lib/x86_64-linux-gnu/libc.so.6") || isLoader("/usr/bin/ldd") {
		t.Error("a loader is seen where none is")
	}
}

func FuzzCall(f *testing.F) {
	f.Add("257 0xffffff9c 0x7f0000001000 0x80000 0x0 0x0 0x0 0x7ffc00000000 0x7f12deadbeef")
	f.Fuzz(func(t *testing.T, s string) { parseCall(s); mappedAt(s, 1) })
}

func TestTheScriptOfACommandLineIsFound(t *testing.T) {
	for line, want := range map[string]string{
		"sh script":                 "script",
		"sh -e script arg":          "script",
		"bash --norc plain":         "plain",
		"bash --rcfile rc script":   "rc script",
		"bash -o pipefail script":   "script",
		"bash +x script":            "script",
		"sh -c script":              "",
		"bash -ec script":           "",
		"python3 x.py":              "x.py",
		"python3.11 -u -W ignore x": "x",
		"python3 -Wignore x":        "x",
		"python3 -m x":              "",
		"perl -w x.pl":              "x.pl",
		"perl -e print":             "",
		"awk -f x.awk data":         "x.awk data",
		"awk -fx.awk data":          "x.awk data",
		"make -f Other all":         "Other all",
		"make --file=Other":         "Other",
		"node --require a b":        "a b",
		"gdb -x commands prog":      "commands prog",
		"busybox sh script":         "sh script",
		"sh -- script":              "script",
		"sh":                        "",
		"php -f x.php":              "x.php",
	} {
		args := strings.Fields(line)
		in, ok := interpreterOf(args[0])
		if !ok {
			t.Errorf("%s is no interpreter", args[0])
			continue
		}
		got := slices.DeleteFunc(in.scriptArguments(args), func(s string) bool { return s == "" })
		if strings.Join(got, " ") != want && !slices.Equal(got, strings.Fields(want)) && !strings.HasPrefix(strings.Join(got, " ")+" ", want+" ") {
			t.Errorf("%s: %q, not %q", line, got, want)
		}
		if want == "" && len(got) > 0 {
			t.Errorf("%s: %q", line, got)
		}
	}
	for _, no := range []string{"cat", "cp", "systemd", "3.11", "shutdown", "pythonista"} {
		if _, ok := interpreterOf(no); ok {
			t.Errorf("%s is an interpreter", no)
		}
	}
}

func FuzzScriptArguments(f *testing.F) {
	f.Add("bash -o x script")
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, " ")
		for _, in := range interpreters {
			if n := len(in.scriptArguments(args)); n > 2*len(args)+2 {
				t.Errorf("%d files of %d words", n, len(args))
			}
		}
	})
}

func TestAFileIsWhatItsBeginningSays(t *testing.T) {
	image := []byte("\x7fELF\x02\x01\x01\x00AI\x02\x00")
	if kindOf(image) != policy.ProgramAppImage || kindOf([]byte("#!/bin/sh")) != policy.ProgramScript || kindOf([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00")) != policy.ProgramFile || kindOf(nil) != policy.ProgramFile {
		t.Error("kinds are mixed up")
	}
	p := loneProgram(policy.ProgramFile, "/home/x/\u202egnp.exe\n (deleted)", "ab", 3)
	if p.Name != "?gnp.exe?" || !p.Unclean || p.ID != "file:/home/x/?gnp.exe?" || p.Source != policy.SourceNone {
		t.Errorf("%+v", p)
	}
	if p := loneProgram(policy.ProgramFile, "/"+strings.Repeat("日", 4000), "", 0); len(p.Name) > maxWord || !p.Unclean || strings.ToValidUTF8(p.Name, "") != p.Name {
		t.Errorf("%d bytes", len(p.Name))
	}
}
