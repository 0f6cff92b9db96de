// Package private makes folders on Windows that only those may enter whom a descriptor names. It never decides who that
// is. Elsewhere a folder's mode says it.
package private

import (
	"errors"
	"io/fs"
)

var errLink = errors.New("it is a link to another place, which an administrator has to remove")

// plain says that a folder is where its name says. Users may create files where programs keep their state on Windows: a
// link that was laid there before the first start would have somebody else's folder opened or closed.
func plain(info fs.FileInfo) error {
	if info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 { // a junction is irregular (https://go.dev/doc/go1.23, os)
		return errLink
	}
	return nil
}
