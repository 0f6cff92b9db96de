package archive

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"

	"sekisho/agent/sensor/aptlist"
	"sekisho/internal/policy"
)

// offers looks in the lists of signed repositories for archives with these hashes. That a file lies in apt's cache proves
// nothing: root may have put it there, the hash in a signed list it may not. unread says that not all lists could be read.
func offers(ctx context.Context, root string, wanted map[string][]int) (found map[string]policy.Program, unread error) {
	found = map[string]policy.Program{}
	lists, unread := aptlist.Read(root)
	for _, l := range lists {
		if !l.Signed {
			continue
		}
		if err := search(ctx, root, l, wanted, found); err != nil {
			unread = fmt.Errorf("cannot read the lists of repositories: %s: %w", l.File, err)
		}
		if len(found) == len(wanted) {
			return found, nil
		}
	}
	return found, unread
}

// search reads one list, of which there may be a hundred megabytes, without keeping it.
func search(ctx context.Context, root string, l aptlist.List, wanted map[string][]int, found map[string]policy.Program) error {
	origin, _ := clean(l.Origin)
	return l.Read(ctx, root, func(in io.Reader) error {
		return stanzas(reader{ctx, in}, func(stanza []byte) {
			hash := hashIn(stanza)
			if _, ok := wanted[hash]; !ok {
				return
			}
			p := program(paragraph(string(stanza)))
			p.Source, p.Origin = policy.SourceRepository, origin
			found[hash] = p
		})
	})
}

var hashKey = []byte("\nSHA256: ")

func hashIn(stanza []byte) string {
	i := bytes.Index(stanza, hashKey)
	if i < 0 || len(stanza) < i+len(hashKey)+64 {
		return ""
	}
	return string(stanza[i+len(hashKey) : i+len(hashKey)+64])
}

// maxStanza is the longest paragraph that is taken; Debian's longest are some ten kilobytes.
const maxStanza = 1 << 20

func stanzas(in io.Reader, each func([]byte)) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 256<<10), maxStanza)
	s.Split(func(data []byte, end bool) (int, []byte, error) {
		if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
			return i + 2, data[:i+1], nil
		}
		if end && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	for s.Scan() {
		each(s.Bytes())
	}
	return s.Err()
}
