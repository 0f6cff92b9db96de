package osexec

import (
	"bytes"
	"encoding/binary"
)

// Where the starter lies in memory: anywhere that a program may.
const startAddress = 0x400000

// starter is the tiny program: an ELF header, one program header and the code of this processor, which calls
// execve(argv[1], argv+1, envp), and exit_group(127) when that fails, as a shell does
// (https://man7.org/linux/man-pages/man5/elf.5.html; the stack at the start is that of the System V ABI, section 3.4.1).
func starter() []byte {
	const header, program = 64, 56
	size := uint64(header + program + len(starterCode))
	var b bytes.Buffer
	for _, field := range []any{
		[16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, // 64 bits, little endian, version 1
		uint16(2), uint16(starterMachine), uint32(1), uint64(startAddress + header + program),
		uint64(header), uint64(0), uint32(0), uint16(header), uint16(program), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(startAddress), uint64(startAddress), size, size, uint64(0x1000), // PT_LOAD, readable and executable
		starterCode,
	} {
		_ = binary.Write(&b, binary.LittleEndian, field) // a buffer takes everything of a fixed size
	}
	return b.Bytes()
}
