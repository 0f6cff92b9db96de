package hivefile

import "math/bits"

// The start of the sums in a log, as it is publicly known (same source as base.go): the bytes 82 EF 4D 88 7A 4E 55 C5.
const logSeed = 0xc5554e7a884def82

// marvin is Marvin32, the sum by which Windows knows an entry of a log as whole. It keeps no secret.
func marvin(data []byte) uint64 { return marvinFrom(logSeed, data) }

func marvinFrom(seed uint64, data []byte) uint64 {
	low, high := uint32(seed), uint32(seed>>32)
	for ; len(data) >= 4; data = data[4:] {
		low, high = stir(low+le.Uint32(data), high)
	}
	last := [4]byte{}
	last[copy(last[:], data)] = 0x80
	low, high = stir(low+le.Uint32(last[:]), high)
	low, high = stir(low, high)
	return uint64(high)<<32 | uint64(low)
}

func stir(low, high uint32) (uint32, uint32) {
	high ^= low
	low = bits.RotateLeft32(low, 20) + high
	high = bits.RotateLeft32(high, 9) ^ low
	low = bits.RotateLeft32(low, 27) + high
	return low, bits.RotateLeft32(high, 19)
}
