package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
const (
	hashMemory  = 64 * 1024 // KiB
	hashTime    = 3
	hashThreads = 4
	hashLength  = 32
	saltLength  = 16
	maxMemory   = 256 * 1024 // a hash from the store may ask for no more
	maxTime     = 16
)

var errHash = errors.New("cannot read the stored password hash")

// hasher makes and checks password hashes, two at a time: each takes 64 MB.
type hasher struct {
	memory, time uint32
	places       chan struct{}
	dummy        string // checked for unknown names, so that they take as long as known ones
}

func newHasher(memory, time uint32) *hasher {
	h := &hasher{memory: memory, time: time, places: make(chan struct{}, 2)}
	h.dummy = h.make("nobody's password")
	return h
}

// make gives the hash in the PHC string form.
func (h *hasher) make(password string) string {
	salt := make([]byte, saltLength)
	rand.Read(salt)
	sum := h.sum(password, salt, h.time, h.memory, hashThreads, hashLength)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, hashThreads, b64(salt), b64(sum))
}

func (h *hasher) sum(password string, salt []byte, time, memory uint32, threads uint8, length uint32) []byte {
	h.places <- struct{}{}
	defer func() { <-h.places }()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, length)
}

// check says whether the password is the hash's. An empty hash is nobody's and takes as long.
func (h *hasher) check(encoded, password string) (bool, error) {
	known := encoded != ""
	if !known {
		encoded = h.dummy
	}
	var version int
	var memory, time uint32
	var threads uint8
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errHash
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &time, &threads); err != nil {
		return false, errHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	usable := version == argon2.Version && memory <= maxMemory && time >= 1 && time <= maxTime && threads >= 1 && len(want) >= 16 && len(want) <= 64
	if err1 != nil || err2 != nil || !usable {
		return false, errHash
	}
	got := h.sum(password, salt, time, memory, threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

const (
	passwordLong  = 12 // enough by length alone
	passwordMixed = 10 // with three kinds of characters
	passwordMax   = 256
)

// weak says what is wrong with a new password: a word of the catalogue, or nothing.
func weak(name, password string) string {
	n := utf8.RuneCountInString(password)
	switch {
	case len(password) > passwordMax:
		return "password.long"
	case n < passwordMixed, n < passwordLong && mix(password) < 3:
		return "password.short"
	case name != "" && strings.Contains(strings.ToLower(password), strings.ToLower(name)):
		return "password.name"
	case monotone(password):
		return "password.plain"
	}
	return ""
}

func mix(password string) int {
	var lower, upper, digit, other int
	for _, r := range password {
		switch {
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	return lower + upper + digit + other
}

// monotone finds what is long but only one or two characters over and over.
func monotone(password string) bool {
	seen := map[rune]bool{}
	for _, r := range password {
		seen[r] = true
	}
	return len(seen) < 5
}
