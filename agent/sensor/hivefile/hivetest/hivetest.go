// Package hivetest builds registry hives for tests, as Windows writes them. No program that is delivered uses it.
package hivetest

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// Key is a key with what is below it.
type Key struct {
	Name   string
	Keys   []Key
	Values []Value
}

// Value is a value of any type.
type Value struct {
	Name string
	Kind uint32
	Data []byte
}

// At puts keys below a path: `a\b` gives a with b in it, which holds them.
func At(path string, keys ...Key) Key {
	parts := strings.Split(path, `\`)
	k := Key{Name: parts[len(parts)-1], Keys: keys}
	for _, name := range slices.Backward(parts[:len(parts)-1]) {
		k = Key{Name: name, Keys: []Key{k}}
	}
	return k
}

// Text is a REG_SZ.
func Text(name, s string) Value { return Value{Name: name, Kind: 1, Data: UTF16(s + "\x00")} }

// Number is a REG_DWORD.
func Number(name string, n uint32) Value {
	return Value{Name: name, Kind: 4, Data: binary.LittleEndian.AppendUint32(nil, n)}
}

// UTF16 is a text as Windows has it in memory.
func UTF16(s string) (out []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

const (
	base    = 4096
	none    = 0xffffffff
	segment = 16344
	perList = 500
)

var le = binary.LittleEndian

// Bytes is the file of a hive with these keys below its root.
func Bytes(keys ...Key) []byte {
	b := &builder{data: make([]byte, 32)}
	root := b.key(Key{Name: "ROOT", Keys: keys}, 0, true)
	size := (len(b.data) + 8 + base - 1) / base * base
	rest := size - len(b.data)
	b.data = append(b.data, make([]byte, rest)...)
	le.PutUint32(b.data[size-rest:], uint32(rest)) // free
	copy(b.data, "hbin")
	le.PutUint32(b.data[8:], uint32(size))
	return append(Head(root, uint32(size), 1, 1), b.data...)
}

// Head is the base block of a hive.
func Head(root, size, first, second uint32) []byte {
	h := make([]byte, base)
	copy(h, "regf")
	for at, n := range map[int]uint32{4: first, 8: second, 20: 1, 24: 5, 32: 1, 36: root, 40: size, 44: 1} {
		le.PutUint32(h[at:], n)
	}
	Sum(h)
	return h
}

// Sum brings the checksum of a base block up to date.
func Sum(h []byte) {
	var sum uint32
	for at := 0; at < 508; at += 4 {
		sum ^= le.Uint32(h[at:])
	}
	le.PutUint32(h[508:], sum)
}

type builder struct {
	data  []byte
	guard uint32 // the one security descriptor
}

// cell takes room for a cell and gives its place.
func (b *builder) cell(content []byte) uint32 {
	at, size := len(b.data), (len(content)+4+7)/8*8
	b.data = append(b.data, make([]byte, size)...)
	le.PutUint32(b.data[at:], uint32(-int32(size)))
	copy(b.data[at+4:], content)
	return uint32(at)
}

func (b *builder) key(k Key, parent uint32, root bool) uint32 {
	raw, plain := name(k.Name)
	c := make([]byte, 76+len(raw))
	copy(c, "nk")
	flags := uint16(0)
	if plain {
		flags |= 0x20
	}
	if root {
		flags |= 0x0c
	}
	le.PutUint16(c[2:], flags)
	le.PutUint16(c[72:], uint16(len(raw)))
	copy(c[76:], raw)
	at := b.cell(c)
	if root {
		b.guard = b.security()
		parent = at
	}
	values, keys := b.values(k.Values), b.keys(k.Keys, at)
	for off, n := range map[uint32]uint32{16: parent, 20: uint32(len(k.Keys)), 28: keys, 32: none, 36: uint32(len(k.Values)), 40: values, 44: b.guard, 48: none} {
		le.PutUint32(b.data[at+4+off:], n)
	}
	return at
}

// security is a descriptor without owner and rights.
func (b *builder) security() uint32 {
	c := make([]byte, 20+20)
	copy(c, "sk")
	le.PutUint32(c[12:], 1)
	le.PutUint32(c[16:], 20)
	c[20], c[23] = 1, 0x80
	at := b.cell(c)
	le.PutUint32(b.data[at+8:], at)
	le.PutUint32(b.data[at+12:], at)
	return at
}

func (b *builder) keys(keys []Key, parent uint32) uint32 {
	if len(keys) == 0 {
		return none
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(x, y Key) int { return strings.Compare(strings.ToUpper(x.Name), strings.ToUpper(y.Name)) })
	root := []byte("ri\x00\x00")
	for part := range slices.Chunk(keys, perList) {
		root = le.AppendUint32(root, b.leaf(part, parent))
	}
	if len(root) == 8 {
		return le.Uint32(root[4:])
	}
	le.PutUint16(root[2:], uint16(len(root)/4-1))
	return b.cell(root)
}

func (b *builder) leaf(keys []Key, parent uint32) uint32 {
	leaf := []byte("lh\x00\x00")
	le.PutUint16(leaf[2:], uint16(len(keys)))
	for _, k := range keys {
		leaf = le.AppendUint32(leaf, b.key(k, parent, false))
		var hash uint32
		for _, u := range utf16.Encode([]rune(strings.ToUpper(k.Name))) {
			hash = 37*hash + uint32(u)
		}
		leaf = le.AppendUint32(leaf, hash)
	}
	return b.cell(leaf)
}

func (b *builder) values(values []Value) uint32 {
	if len(values) == 0 {
		return none
	}
	var list []byte
	for _, v := range values {
		raw, plain := name(v.Name)
		c := make([]byte, 20+len(raw))
		copy(c, "vk")
		le.PutUint16(c[2:], uint16(len(raw)))
		le.PutUint32(c[4:], uint32(len(v.Data)))
		le.PutUint32(c[12:], v.Kind)
		if plain {
			le.PutUint16(c[16:], 1)
		}
		copy(c[20:], raw)
		if len(v.Data) <= 4 {
			le.PutUint32(c[4:], uint32(len(v.Data))|1<<31)
			copy(c[8:12], v.Data)
		} else {
			le.PutUint32(c[8:], b.bytes(v.Data))
		}
		list = le.AppendUint32(list, b.cell(c))
	}
	return b.cell(list)
}

func (b *builder) bytes(data []byte) uint32 {
	if len(data) <= segment {
		return b.cell(data)
	}
	var list []byte
	for part := range slices.Chunk(data, segment) {
		list = le.AppendUint32(list, b.cell(part))
	}
	c := []byte("db\x00\x00\x00\x00\x00\x00")
	le.PutUint16(c[2:], uint16(len(list)/4))
	le.PutUint32(c[4:], b.cell(list))
	return b.cell(c)
}

// name is a key's or value's name, a byte for each letter where that is enough.
func name(s string) (raw []byte, plain bool) {
	for _, r := range s {
		if r > 0xff {
			return UTF16(s), false
		}
		raw = append(raw, byte(r))
	}
	return raw, true
}
