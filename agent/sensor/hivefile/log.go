package hivefile

import (
	"maps"
	"slices"
)

// Of a transaction log as Windows 8.1 and later write it (same source as base.go).
const (
	sector     = 512
	logKind    = 6  // file type in its base block
	entryHead  = 40 // bytes before the references to pages
	hashed     = 32 // bytes of the head that the second hash is of
	refSize    = 8
	maxEntries = 100_000
)

// logEntry is one write that has not come into the hive's file yet: pages, and where they belong.
type logEntry struct {
	size  int // of the hive's data afterwards
	refs  []byte
	pages []byte
}

// apply brings what the logs hold into the data, in the order of their numbers, as Windows does when it loads a hive that was
// not written to its end: from the number that the hive ended with, as long as there is a next one. It gives the data's size.
func (m *image) apply(b base, logs ...[]byte) (int, error) {
	entries := map[uint32]logEntry{}
	for _, raw := range logs {
		maps.Copy(entries, parseLog(raw))
	}
	size, next := b.size, b.second
	for ; ; next++ {
		e, has := entries[next]
		if !has {
			break
		}
		if !m.put(e) {
			return size, &trouble{Older, "its log says where no page can be; its last changes are not seen"}
		}
		size = e.size
	}
	if next == b.second {
		return size, &trouble{Older, "it was not written to its end and no log of it fits; its last changes are not seen"}
	}
	return size, nil
}

// put writes one entry's pages, all or none.
func (m *image) put(e logEntry) bool {
	if !m.grow(e.size) {
		return false
	}
	at := 0
	for ref := range slices.Chunk(e.refs, refSize) {
		to, n := int(le.Uint32(ref)), int(le.Uint32(ref[4:]))
		if to > len(m.bins) || n > len(m.bins)-to || n > len(e.pages)-at {
			return false
		}
		at += n
	}
	at = 0
	for ref := range slices.Chunk(e.refs, refSize) {
		at += copy(m.bins[le.Uint32(ref):], e.pages[at:at+int(le.Uint32(ref[4:]))])
	}
	return true
}

// parseLog gives a log's entries by their numbers. Behind the last one lies what older ones left; the first that is not whole
// ends the list.
func parseLog(raw []byte) map[uint32]logEntry {
	out := map[uint32]logEntry{}
	if len(raw) < sector || string(raw[:4]) != "regf" || le.Uint32(raw[28:]) != logKind {
		return out
	}
	for at := sector; len(out) < maxEntries; {
		number, e, long := parseEntry(raw[at:])
		if long == 0 {
			break
		}
		if _, twice := out[number]; !twice {
			out[number] = e
		}
		if at += long; at >= len(raw) {
			break
		}
	}
	return out
}

// parseEntry reads the entry that raw begins with; long is 0 where there is none that is whole.
func parseEntry(raw []byte) (number uint32, e logEntry, long int) {
	if len(raw) < entryHead || string(raw[:4]) != "HvLE" {
		return 0, e, 0
	}
	long, number, e.size = int(le.Uint32(raw[4:])), le.Uint32(raw[12:]), int(le.Uint32(raw[16:]))
	count := int(le.Uint32(raw[20:]))
	if long%sector != 0 || long < entryHead || long > len(raw) || e.size%blockSize != 0 || count > (long-entryHead)/refSize {
		return 0, e, 0
	}
	if marvin(raw[entryHead:long]) != le.Uint64(raw[24:]) || marvin(raw[:hashed]) != le.Uint64(raw[32:]) {
		return 0, e, 0
	}
	e.refs, e.pages = raw[entryHead:entryHead+count*refSize], raw[entryHead+count*refSize:long]
	return number, e, long
}
