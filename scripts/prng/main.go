// Package main writes the smallest DLL that lets a Go program start under Wine 8: bcryptprimitives.dll with the one
// function that Go's runtime asks for, ProcessPrng, forwarded to advapi32.SystemFunction036, which fills a buffer with
// random bytes as well. It holds no code of its own and is never a part of what is released.
//
// The layout is that of https://learn.microsoft.com/windows/win32/debug/pe-format.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

const (
	dllName = "bcryptprimitives.dll"
	export  = "ProcessPrng"
	target  = "advapi32.SystemFunction036" // RtlGenRandom: BOOLEAN (PVOID, ULONG)
)

// The file has one section, whose place in memory and in the file these are.
const (
	memory    = 0x1000 // also the alignment of sections
	inFile    = 0x200  // also the alignment in the file
	imageBase = 0x180000000
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./scripts/prng FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], dll(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "cannot write the DLL:", err)
		os.Exit(1)
	}
}

func dll() []byte {
	body := exports()
	var b bytes.Buffer
	b.Write(dosHeader())
	put(&b, [4]byte{'P', 'E'}, fileHeader{
		Machine: 0x8664, Sections: 1, OptionalSize: 240,
		Flags: 0x2022, // executable image, large addresses, DLL
	}, optional(len(body)))
	put(&b, section(len(body)))
	b.Write(make([]byte, inFile-b.Len()))
	b.Write(body)
	b.Write(make([]byte, inFile-len(body)))
	return b.Bytes()
}

// dosHeader says only where the real one begins.
func dosHeader() []byte {
	h := make([]byte, 64)
	copy(h, "MZ")
	binary.LittleEndian.PutUint32(h[60:], uint32(len(h)))
	return h
}

// exports is the whole content: a directory of one name whose address lies in the directory itself, which is what
// makes it a forwarder.
func exports() []byte {
	const (
		functions = memory + 40 // behind the directory
		names     = functions + 4
		ordinals  = names + 4
		texts     = ordinals + 4 // one ordinal and two bytes of nothing
	)
	file := uint32(texts)
	name := file + uint32(len(dllName)) + 1
	forward := name + uint32(len(export)) + 1
	var b bytes.Buffer
	put(&b, exportDirectory{
		Name: file, OrdinalBase: 1, Functions: 1, Names: 1,
		FunctionTable: functions, NameTable: names, OrdinalTable: ordinals,
	}, forward, name, uint32(0))
	for _, s := range []string{dllName, export, target} {
		b.WriteString(s)
		b.WriteByte(0)
	}
	return b.Bytes()
}

type fileHeader struct {
	Machine, Sections          uint16
	Time, Symbols, SymbolCount uint32
	OptionalSize, Flags        uint16
}

type optionalHeader struct {
	Magic                                           uint16
	Linker                                          [2]uint8
	Code, Data, Bss, Entry, CodeBase                uint32
	ImageBase                                       uint64
	MemoryAlign, FileAlign                          uint32
	OS, OSMinor, Image, ImageMinor, Sub, SubMinor   uint16
	Reserved, ImageSize, HeaderSize, Sum            uint32
	Subsystem, DLLFlags                             uint16
	StackReserve, StackCommit, HeapReserve, HeapUse uint64
	LoaderFlags, DirectoryCount                     uint32
	Directories                                     [16][2]uint32
}

func optional(size int) optionalHeader {
	return optionalHeader{
		Magic: 0x20b, // PE32+
		Data:  inFile, ImageBase: imageBase, MemoryAlign: memory, FileAlign: inFile,
		OS: 6, Sub: 6, ImageSize: 2 * memory, HeaderSize: inFile,
		Subsystem: 3, DLLFlags: 0x160, // may be moved, has no code that must not run
		StackReserve: 1 << 20, StackCommit: 1 << 12, HeapReserve: 1 << 20, HeapUse: 1 << 12,
		DirectoryCount: 16, Directories: [16][2]uint32{{memory, uint32(size)}}, // the first one is the exports
	}
}

type sectionHeader struct {
	Name                                 [8]byte
	Size, Address, FileSize, FileAddress uint32
	Relocations, Lines                   uint32
	RelocationCount, LineCount           uint16
	Flags                                uint32
}

func section(size int) sectionHeader {
	return sectionHeader{
		Name: [8]byte{'.', 'e', 'd', 'a', 't', 'a'}, Size: uint32(size), Address: memory, FileSize: inFile, FileAddress: inFile,
		Flags: 0x40000040, // initialised data, readable
	}
}

type exportDirectory struct {
	Flags, Time                            uint32
	Major, Minor                           uint16
	Name, OrdinalBase, Functions, Names    uint32
	FunctionTable, NameTable, OrdinalTable uint32
}

func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		_ = binary.Write(b, binary.LittleEndian, v) // fixed sizes, and a buffer in memory: it cannot fail
	}
}
