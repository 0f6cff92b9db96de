package web

import (
	"encoding/json"
	"errors"
	"time"

	"sekisho/console/store"
)

// verifiedFor is how long a look through all records counts: it is done once a day.
const verifiedFor = 2 * day

// verifiedView is what the last look through all records found. Without one, or with an old one, nothing is known.
type verifiedView struct {
	State string `json:"state"` // good, bad, unknown
	store.Verification
}

func (s *server) verified(r *request) (verifiedView, error) {
	text, err := s.DB.Setting(r.Context(), store.SettingVerified)
	if errors.Is(err, store.ErrNotFound) {
		return verifiedView{State: "unknown"}, nil
	}
	return readVerified(text, r.now), err
}

func readVerified(text string, now time.Time) verifiedView {
	v := verifiedView{State: "unknown"}
	if json.Unmarshal([]byte(text), &v.Verification) != nil {
		return verifiedView{State: "unknown"}
	}
	switch {
	case v.At.IsZero():
	case v.Faults != 0 || !v.Audits:
		v.State = "bad" // however long ago
	case now.Sub(v.At).Abs() < verifiedFor:
		v.State = "good"
	}
	return v
}
