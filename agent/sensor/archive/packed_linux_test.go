package archive

import (
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"

	"sekisho/internal/policy"
)

// lz4Frame is a frame with one block as it is (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md).
func lz4Frame(text string) string {
	b := []byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text))|1<<31)
	b = append(b, text...)
	return string(binary.LittleEndian.AppendUint32(b, 0))
}

func packedBy(t *testing.T, program, text string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "-c")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestListsThatAptKeepsPackedAreRead: apt's own program unpacks them.
func TestListsThatAptKeepsPackedAreRead(t *testing.T) {
	text := stanza("other", "other") + stanza("x", "x")
	for ending, packed := range map[string]string{".lz4": lz4Frame(text), ".xz": packedBy(t, "xz", text), ".bz2": packedBy(t, "bzip2", text)} {
		d := newDesk(t)
		d.put("x.deb", "x")
		d.put("loose.deb", "loose")
		d.put(lists+"a_InRelease", "signed")
		d.put(lists+"a_Packages"+ending, packed)
		if p := d.look("x.deb"); p.Source != policy.SourceRepository || p.ID != "deb:x:amd64" || p.Fault != "" {
			t.Errorf("%s: %+v", ending, p)
		}
		if p := d.look("loose.deb"); p.Source != policy.SourceLocal {
			t.Errorf("%s: one that is in no list: %+v", ending, p)
		}
	}
}

func TestAPackedListThatIsCutShortIsNoProofOfAnything(t *testing.T) {
	text := stanza("x", "x") + strings.Repeat(stanza("other", "other"), 50)
	d := newDesk(t)
	d.put("loose.deb", "loose")
	d.put(lists+"a_InRelease", "signed")
	d.put(lists+"a_Packages.lz4", lz4Frame(text)[:200])
	if p := d.look("loose.deb"); p.Source != policy.SourceUnknown || !strings.Contains(p.Fault, "a_Packages.lz4") {
		t.Errorf("%+v", p)
	}
}
