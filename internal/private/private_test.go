package private

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestAFolderThatIsALinkIsNotTakenForTheFolder(t *testing.T) {
	for mode, want := range map[fs.FileMode]error{
		fs.ModeDir | 0o700:                    nil,
		fs.ModeSymlink | 0o777:                errLink,
		fs.ModeDir | fs.ModeIrregular | 0o777: errLink, // a junction
	} {
		info, err := fstest.MapFS{"Sekisho": {Mode: mode}}.Lstat("Sekisho")
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(info); !errors.Is(got, want) {
			t.Errorf("%v: %v", mode, got)
		}
	}
}
