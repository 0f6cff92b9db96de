package execgate

import (
	"bytes"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"sekisho/internal/policy"
)

var elfMagic = []byte("\x7fELF")

func isELF(head []byte) bool { return bytes.HasPrefix(head, elfMagic) }

// kindOf says what a file that no package answers for is (the AppImage's mark: https://github.com/AppImage/AppImageSpec,
// "AI" and its type at byte 8).
func kindOf(head []byte) policy.ProgramKind {
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return policy.ProgramScript
	case isELF(head) && len(head) > 10 && head[8] == 'A' && head[9] == 'I' && (head[10] == 1 || head[10] == 2):
		return policy.ProgramAppImage
	}
	return policy.ProgramFile
}

// loneProgram describes such a file.
func loneProgram(kind policy.ProgramKind, name, hash string, size int64) policy.Program {
	name = strings.TrimSuffix(name, " (deleted)")
	shown, unclean := clean(name)
	base, cut := clean(path.Base(name))
	return policy.Program{
		ID: "file:" + shown, Kind: kind, Name: base, Path: shown, Hash: hash, Size: size, Source: policy.SourceNone, Unclean: unclean || cut,
	}
}

// clean makes a foreign name fit to be recorded and shown.
func clean(s string) (string, bool) {
	out := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
	for len(out) > maxWord {
		_, n := utf8.DecodeLastRuneInString(out)
		out = out[:len(out)-n]
	}
	return out, out != s
}

const maxWord = 256 // bytes, policy.Program
