package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"sekisho/console/store"
	"sekisho/internal/seal"
)

// settingKeys is where the database keeps the names of the keys that terminals have pinned.
const settingKeys = "keys"

// firstStart is how long after its CA a console may still have an empty database: a first start can be cut off.
const firstStart = time.Hour

const keysHint = "put the files back from where they are kept; to go on with new keys, for which every terminal must enrol again, start once with serve --new-keys"

// checkKeys refuses to go on with other keys than those that the terminals know, or with an empty database beside old keys:
// either would be discovered only terminal by terminal.
func (h *house) checkKeys(ctx context.Context, empty bool, now time.Time) error {
	have := "ca " + h.ca.Fingerprint() + " policy " + seal.KeyID(h.key.Public().(ed25519.PublicKey))
	known, err := h.db.Setting(ctx, settingKeys)
	switch {
	case err == nil && known == have:
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case h.newKeys:
	case err == nil:
		return hint(errors.New("cannot use the keys in the state folder: the terminals of this database know others"), keysHint)
	case empty && now.Sub(h.ca.Made()) > firstStart:
		return hint(fmt.Errorf("cannot use the database: it is new or empty, but the certificate authority beside it is of %s", h.ca.Made().Format(time.DateOnly)),
			"restore the newest backup as console.db; a really new console begins in an empty folder, or once with serve --new-keys")
	}
	return h.db.PutSetting(ctx, settingKeys, have, "setup", now)
}
