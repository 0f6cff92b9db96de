package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"sekisho/console/agentapi"
	"sekisho/console/depot"
	"sekisho/console/store"
	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
)

// setupLife is how long a setup link can be used.
const setupLife = time.Hour

// house is what lies in the state folder.
type house struct {
	state  string
	config config
	zone   *time.Location
	ca     *agentapi.CA
	key    ed25519.PrivateKey // signs policies
	db     *store.DB
	depot  *depot.Depot // programs of releases

	references *depot.Depot // what checks are held against

	newKeys bool // other keys than the database knows are meant
}

// openAll opens what every command but version needs. A service that starts for the first time and somebody who runs setup
// meanwhile must not both make the keys: one after the other.
func openAll(ctx context.Context, c call) (*house, error) {
	if err := prepare(c.state, time.Now()); err != nil {
		return nil, err
	}
	unlock, err := lockFolder(c.state)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the state folder: %w", err)
	}
	defer unlock()
	h, err := openHouse(c.state, time.Now)
	if err != nil {
		return nil, err
	}
	h.newKeys = c.newKeys()
	return h, h.openDB(ctx)
}

// prepare makes the folder, for this user only, and says early that it cannot be used.
func prepare(state string, now time.Time) error {
	if err := foreign(state, os.Geteuid()); err != nil {
		return err
	}
	if err := makeState(state); err != nil {
		return hint(fmt.Errorf("cannot make the state folder: %w", err), "choose another folder with --state, or run as its owner")
	}
	if err := writable(state); err != nil {
		return hint(fmt.Errorf("cannot write in the state folder %s: %w", state, err), "choose another folder with --state, or run as its owner")
	}
	return durable.Sweep(state, now)
}

// lockName is a file that is only ever locked.
const lockName = "console.lock"

// openHouse reads the folder, and makes on first start what is missing.
func openHouse(state string, now func() time.Time) (*house, error) {
	h := &house{state: state}
	var err error
	if h.config, err = readConfig(state); err != nil {
		return nil, err
	}
	if h.zone, err = time.LoadLocation(h.config.TimeZone); err != nil {
		return nil, fmt.Errorf("cannot use time zone: %w", err)
	}
	if h.ca, err = agentapi.OpenCA(state, now()); err != nil {
		return nil, hint(err, "put ca.key and ca.crt back from where they are kept; with new ones every terminal must enrol again")
	}
	if h.key, err = policyKey(h.config.PolicyKey); err != nil {
		return nil, hint(err, "put the key back from where it is kept; terminals accept no other")
	}
	if h.depot, err = openDepot(state, now()); err != nil {
		return h, err
	}
	h.references, err = depot.Open(filepath.Join(state, "references"), nil, now())
	return h, err
}

func openDepot(state string, now time.Time) (*depot.Depot, error) {
	keys, err := seal.ReadKeys(releaseKeys)
	if err != nil {
		return nil, fmt.Errorf("cannot use the release keys that this console was built with: %w", err)
	}
	return depot.Open(filepath.Join(state, "updates"), keys, now)
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// policyKey reads the signing key, and makes one when there is none.
func policyKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makePolicyKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the policy key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("cannot read the policy key %s: it is damaged", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the policy key %s: %w", path, err)
	}
	own, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("cannot use the policy key %s: it is not an Ed25519 key", path)
	}
	return own, nil
}

func makePolicyKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the policy key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the policy key: %w", err)
	}
	return key, durable.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// openDB opens the database and lays the first group into an empty one.
func (h *house) openDB(ctx context.Context) (err error) {
	path := filepath.Join(h.state, "console.db")
	if h.db, err = store.Open(ctx, path, h.zone); err != nil {
		return hint(err, dbHint(err))
	}
	defer func() {
		if err != nil { // nobody will close it, and Windows moves no file that is open
			err = errors.Join(err, h.Close())
		}
	}()
	groups, err := h.db.Groups(ctx)
	if err != nil {
		return hint(fmt.Errorf("cannot read database %s: %w", path, err), dbHint(err))
	}
	if err := h.checkKeys(ctx, len(groups) == 0, time.Now()); err != nil {
		return err
	}
	if len(groups) > 0 && groups[0].Version > 0 {
		return nil
	}
	return h.makeFirstGroup(ctx, time.Now())
}

func dbHint(err error) string {
	switch {
	case errors.Is(err, store.ErrNewer):
		return "run the version that wrote it, or a newer one"
	case errors.Is(err, store.ErrFull):
		return "make room on the disk of the state folder"
	case errors.Is(err, store.ErrDamaged):
		return "keep the file and restore the newest backup in its place"
	}
	return "is the state folder this user's, and its disk healthy?"
}

// firstGroup is the category that a console begins with.
const firstGroup = "default"

// makeFirstGroup starts in audit: it records what would be done and touches nothing.
func (h *house) makeFirstGroup(ctx context.Context, now time.Time) error {
	if err := h.db.PutGroup(ctx, firstGroup, "既定", "setup", now); err != nil {
		return err
	}
	_, err := h.db.PutGroupPolicy(ctx, store.GroupPolicy{
		Group: firstGroup, Control: policy.DefaultControl(policy.ModeAudit), Software: policy.FirstSoftware(now), Health: policy.DefaultHealth(), Reason: "初期設定", By: "setup",
	}, 0, now)
	if errors.Is(err, store.ErrConflict) {
		return nil // another process was first
	}
	return err
}

// Close closes the database.
func (h *house) Close() error {
	if h.db == nil {
		return nil
	}
	return h.db.Close()
}

// setupPath is what stands between the console's address and the secret of a link.
const setupPath = "/setup/"

// newSetupLink makes a new link, and keeps it for who may read this folder; the one before is void.
func (h *house) newSetupLink(ctx context.Context, now time.Time) (string, error) {
	secret := rand.Text()
	if err := h.db.PutSetup(ctx, sha256.Sum256([]byte(secret)), now.Add(setupLife)); err != nil {
		return "", err
	}
	link := h.peopleURL() + setupPath + secret
	return link, durable.WriteFile(filepath.Join(h.state, setupFile), []byte(link+"\n"), 0o600)
}

func (h *house) peopleURL() string { return h.url(h.config.People) }

func (h *house) agentURL() string { return h.url(h.config.Terminals) }

func (h *house) url(address string) string {
	_, port, err := net.SplitHostPort(address) // config.check has seen it
	if err != nil {
		return "https://" + h.config.Names[0]
	}
	return "https://" + net.JoinHostPort(h.config.Names[0], port)
}
