package execgate

import (
	"encoding/binary"
	"errors"
)

// question is one event of fanotify: a process waits for an answer about the file behind fd
// (https://man7.org/linux/man-pages/man7/fanotify.7.html, struct fanotify_event_metadata).
type question struct {
	mask uint64
	fd   int32
	pid  int32
}

const (
	metadataSize    = 24
	metadataVersion = 3
	noFile          = -1 // FAN_NOFD
)

var errMetadata = errors.New("cannot understand the kernel's question: this agent does not know its form")

// parseQuestions reads what the kernel wrote into a buffer.
func parseQuestions(b []byte) (all []question, err error) {
	for len(b) > 0 {
		if len(b) < metadataSize {
			return all, errMetadata
		}
		n := binary.NativeEndian.Uint32(b)
		if n < metadataSize || uint64(n) > uint64(len(b)) || b[4] != metadataVersion {
			return all, errMetadata
		}
		all = append(all, question{
			mask: binary.NativeEndian.Uint64(b[8:]),
			fd:   int32(binary.NativeEndian.Uint32(b[16:])),
			pid:  int32(binary.NativeEndian.Uint32(b[20:])),
		})
		b = b[n:]
	}
	return all, nil
}
