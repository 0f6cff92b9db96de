package archive

import (
	"io/fs"
	"syscall"
)

func stateOf(info fs.FileInfo) state {
	s := state{size: info.Size(), mtime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.dev, s.inode, s.ctime = uint64(st.Dev), st.Ino, st.Ctim.Nano()
	}
	return s
}
