// Package archive sees what a package file is before it is unpacked, and whether a repository whose signature was checked
// offers it. It never unpacks one, and never judges.
package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"sekisho/internal/policy"
)

// Bounds of what is looked at.
const (
	MaxFiles   = 200      // of one question
	maxArchive = 16 << 30 // bytes
	maxWord    = 256      // bytes of a name
	mostKnown  = 8192
)

// Reader looks at package files, and remembers what it has seen as long as the files do not change: a package manager
// asks before it fetches, before it unpacks, and again in parts.
type Reader struct {
	Root    string                                                 // above var and etc
	Control func(ctx context.Context, file string) ([]byte, error) // what a package says of itself (dpkg-deb -f)

	mu    sync.Mutex
	known map[state]policy.Program
}

// state is a file as it was when it was read.
type state struct {
	dev, inode   uint64
	size         int64
	mtime, ctime int64
}

// File is one to look at: where it is read, and what it is called.
type File struct{ At, Name string }

// Look says what each file is, in their order. What cannot be read is said in its Fault.
func (r *Reader) Look(ctx context.Context, files []File) []policy.Program {
	out := make([]policy.Program, len(files))
	wanted, states := map[string][]int{}, make([]state, len(files))
	for i, f := range files {
		var hash string
		var err error
		if out[i], states[i], hash, err = r.first(ctx, f); err != nil {
			out[i] = unreadable(f, err)
		} else if hash != "" {
			out[i] = policy.Program{Hash: hash, Size: states[i].size}
			wanted[hash] = append(wanted[hash], i)
		}
	}
	if len(wanted) > 0 {
		r.find(ctx, files, out, wanted)
		r.keep(out, states, wanted)
	}
	return out
}

// first gives what is known of a file, or its hash.
func (r *Reader) first(ctx context.Context, f File) (p policy.Program, s state, hash string, err error) {
	in, err := os.Open(f.At)
	if err != nil {
		return p, s, "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return p, s, "", err
	}
	if !info.Mode().IsRegular() {
		return p, s, "", errors.New("it is no file")
	}
	if s = stateOf(info); s.size > maxArchive {
		return p, s, "", errors.New("it is too long")
	}
	r.mu.Lock()
	p, ok := r.known[s]
	r.mu.Unlock()
	if ok {
		return p, s, "", nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(reader{ctx, in}, maxArchive)); err != nil {
		return p, s, "", err
	}
	return p, s, hex.EncodeToString(h.Sum(nil)), nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// find looks the hashes up in what repositories offer, and asks the packages themselves where none has them.
func (r *Reader) find(ctx context.Context, files []File, out []policy.Program, wanted map[string][]int) {
	offered, unread := offers(ctx, r.Root, wanted)
	for hash, all := range wanted {
		for _, i := range all {
			size := out[i].Size
			if p, ok := offered[hash]; ok {
				out[i] = p
			} else {
				out[i] = r.ownWords(ctx, files[i], unread)
			}
			out[i].Hash, out[i].Size = hash, size
		}
	}
}

// ownWords reads what a package says of itself. What it says of being essential counts for nothing: anybody can say so.
func (r *Reader) ownWords(ctx context.Context, f File, unread error) policy.Program {
	text, err := r.Control(ctx, f.At)
	if err != nil {
		return unreadable(f, err)
	}
	v := paragraph(string(text))
	if v["Package"] == "" || v["Version"] == "" {
		return unreadable(f, errors.New("it does not say its name and version"))
	}
	p := program(v)
	p.Source, p.Essential = policy.SourceLocal, false
	p.Origin, _ = clean(f.Name)
	if unread != nil { // it may stand in what could not be read
		p.Source, p.Fault = policy.SourceUnknown, unread.Error()
	}
	return p
}

func unreadable(f File, err error) policy.Program {
	name, _ := clean(filepath.Base(f.Name))
	path, _ := clean(f.Name)
	return policy.Program{ID: "deb:" + name, Kind: policy.ProgramDeb, Name: name, Origin: path, Source: policy.SourceLocal,
		Fault: fmt.Sprintf("cannot read the package: %v", err)}
}

func (r *Reader) keep(out []policy.Program, states []state, wanted map[string][]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) > mostKnown {
		r.known = map[state]policy.Program{}
	}
	for _, all := range wanted {
		for _, i := range all {
			if out[i].Fault == "" && time.Since(time.Unix(0, states[i].ctime)) > time.Second { // it may yet change within the clock's tick
				r.known[states[i]] = out[i]
			}
		}
	}
}

// program makes one of what a package's control or a repository's list says of it.
func program(v map[string]string) policy.Program {
	p := policy.Program{Kind: policy.ProgramDeb, Essential: v["Essential"] == "yes" || v["Protected"] == "yes" || v["Priority"] == "required"}
	unclean := false
	for _, w := range []struct {
		to   *string
		from string
	}{{&p.Name, v["Package"]}, {&p.Version, v["Version"]}, {&p.Arch, v["Architecture"]}, {&p.Publisher, v["Maintainer"]}} {
		var cut bool
		*w.to, cut = clean(strings.Clone(w.from)) // it is a piece of a paragraph, which is not kept
		unclean = unclean || cut
	}
	p.ID, p.Unclean = "deb:"+p.Name+":"+p.Arch, unclean
	return p
}

// paragraph reads "Key: value" lines; of a longer value the first line.
func paragraph(text string) map[string]string {
	v := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key != "" && key[0] != ' ' && key[0] != '\t' {
			v[key] = strings.TrimSpace(value)
		}
	}
	return v
}

// clean makes a foreign word fit to be recorded and shown.
func clean(s string) (string, bool) {
	out := strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s), "?")
	if len(out) > maxWord {
		out = strings.ToValidUTF8(out[:maxWord], "")
	}
	return out, out != s
}
