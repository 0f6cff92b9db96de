package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxRevision is the highest policy revision that anybody may name: what a JSON number holds exactly (RFC 8259, 6),
// and more than changes can ever make.
const MaxRevision = 1 << 53

// PolicyTag names a policy document by revision and content. A revision alone is not enough: a console restored from a
// backup counts on from an older one and comes to the same number with other content.
type PolicyTag struct {
	Revision int64
	Digest   string // first 16 hex digits of the payload's SHA-256; "" where the content is not known
}

// TagOf names a signed document's payload.
func TagOf(revision int64, payload []byte) PolicyTag {
	sum := sha256.Sum256(payload)
	return PolicyTag{Revision: revision, Digest: hex.EncodeToString(sum[:8])}
}

// String is the tag as ETag and If-None-Match carry it.
func (t PolicyTag) String() string {
	s := strconv.FormatInt(t.Revision, 10)
	if t.Digest != "" {
		s += "-" + t.Digest
	}
	return strconv.Quote(s)
}

// ParsePolicyTag reads one; what is not ours is a revision that nobody has.
func ParsePolicyTag(s string) PolicyTag {
	number, digest, has := strings.Cut(strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "W/"), `"`), "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if raw, bad := hex.DecodeString(digest); err != nil || n < 0 || has && (bad != nil || len(raw) != 8) {
		return PolicyTag{Revision: -1}
	}
	return PolicyTag{Revision: n, Digest: strings.ToLower(digest)}
}
