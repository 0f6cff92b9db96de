package local

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sekisho/internal/osexec"
)

func (t *Teller) notify(ctx context.Context, s session, title, body string) error {
	run := t.run
	if run == nil {
		run = osexec.Run
	}
	_, err := run(ctx, osexec.Busctl, options(s), arguments(title, body)...)
	return err
}

// Ready says why no desktop can be told here.
func (t *Teller) Ready() error {
	if !osexec.Has(osexec.Busctl) {
		return fmt.Errorf("cannot tell a desktop: %s: %w", osexec.Busctl, osexec.ErrMissing)
	}
	return nil
}

// sessions finds the message buses of people; the folder must belong to the person it is named after.
func (t *Teller) sessions() []session {
	dir := filepath.Join(t.Root, "run/user")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []session
	for _, e := range entries {
		uid, ok := person(e.Name())
		if !ok || len(out) == maxSessions {
			continue
		}
		s := session{uid: uid, bus: filepath.Join(dir, e.Name(), "bus")}
		if own, gid := ownedBy(filepath.Join(dir, e.Name()), uid); own && isSocket(s.bus) {
			s.gid = gid
			out = append(out, s)
		}
	}
	return out
}

func ownedBy(path string, uid uint32) (bool, uint32) {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false, 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != uid {
		return false, 0
	}
	return true, st.Gid
}

func isSocket(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSocket != 0
}
