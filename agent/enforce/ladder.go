package enforce

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
)

// ladder is the gate on Windows: policies that stand without the agent, each a rung with an undo of its own.
// The rung for what is installed already knows no exceptions, so it is lifted while a permitted medium is there;
// the hands then hold the others alone.
//
// The gate and the hands work on it at the same time without a lock: who lifts notes its exception first,
// who closes looks for exceptions afterwards.
type ladder struct {
	reg     keys
	dir     string // of the ledgers
	layered bool
}

func (l ladder) install() ledger { return ledger{l.reg, filepath.Join(l.dir, "install.json")} }
func (l ladder) access() ledger  { return ledger{l.reg, filepath.Join(l.dir, "access.json")} }
func (l ladder) autorun() ledger { return ledger{l.reg, filepath.Join(l.dir, "autorun.json")} }

func (l ladder) exception(id string) ledger {
	sum := sha256.Sum256([]byte(id))
	return ledger{l.reg, filepath.Join(l.dir, "allowed", hex.EncodeToString(sum[:16])+".json")}
}

// shutFile says that the gate is wanted shut, so that the hands know it.
func (l ladder) shutFile() string { return filepath.Join(l.dir, "shut") }

func (l ladder) isShut() bool {
	_, err := os.Lstat(l.shutFile())
	return err == nil
}

func (l ladder) shut() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(l.shutFile(), nil, 0o600); err != nil {
		return err
	}
	return errors.Join(l.shutInstall(), l.shutAccess(), l.autorun().want(autorunWishes()))
}

// shutInstall: on a Windows that has no layers the rung is left out, see build.layered.
func (l ladder) shutInstall() error {
	if !l.layered {
		return nil
	}
	wishes, err := installWishes(l.reg)
	if err != nil {
		return err
	}
	// Without layers, which somebody may forbid, the others would take every permission away.
	if err := l.install().want(wishes[:1]); err != nil {
		return err
	}
	return l.install().want(wishes[1:])
}

func (l ladder) shutAccess() error {
	err := l.access().want(accessWishes())
	if l.hasExceptions() {
		return l.access().undo()
	}
	return err
}

func (l ladder) open() error {
	err := os.Remove(l.shutFile())
	if gone(err) {
		err = nil
	}
	for _, path := range l.exceptions() {
		err = errors.Join(err, ledger{l.reg, path}.undo())
	}
	return errors.Join(err, l.autorun().undo(), l.access().undo(), l.install().undo())
}

// allow lets one device through the standing policies, and says whether a rung was lifted for it: such a rung
// acts on a device only when it starts again.
func (l ladder) allow(id string, instances []string) (lifted bool, err error) {
	wishes, err := exceptionWishes(l.reg, instances)
	if err != nil {
		return false, err
	}
	x := l.exception(id)
	if !x.used() {
		if err := x.save(notes{}); err != nil {
			return false, err
		}
	}
	lifted = l.access().used()
	return lifted, errors.Join(x.want(wishes), l.access().undo())
}

// forbid takes the exception back. The rung stands again when it was the last one.
func (l ladder) forbid(id string) error {
	err := l.exception(id).undo()
	if l.isShut() && !l.hasExceptions() {
		err = errors.Join(err, l.shutAccess())
	}
	return err
}

func (l ladder) exceptions() []string {
	found, _ := filepath.Glob(filepath.Join(l.dir, "allowed", "*.json")) // errs only on a bad pattern
	return found
}

func (l ladder) hasExceptions() bool { return len(l.exceptions()) > 0 }

// state reads the registry: "shut", "open", or "failed: …" with what is neither.
func (l ladder) state() string {
	ours := l.install().used() || l.access().used() || l.autorun().used()
	why := l.differs()
	switch {
	case why == "":
		return "shut"
	case l.isShut() || ours:
		return "failed: " + why
	}
	return "open"
}

func (l ladder) differs() string {
	wishes := autorunWishes()
	if l.layered {
		install, err := installWishes(l.reg)
		if err != nil {
			return err.Error()
		}
		wishes = append(wishes, install...)
	}
	if !l.hasExceptions() {
		wishes = append(wishes, accessWishes()...)
	}
	return missing(l.reg, wishes)
}
