package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Log takes one line for people; t.Logf is one.
type Log func(format string, args ...any)

// Image is a built terminal: its disk, its kernel, and its booted state that later runs start from.
type Image struct {
	root   string // folder of the root file system
	booted string // folder of the saved running machine
	key    string // ssh private key
	log    Log
}

// Programs that a build needs; scripts/lab installs them when they are missing.
var needs = []string{"qemu-system-x86_64", "qemu-img", "mmdebstrap", "mke2fs", "mkfs.vfat", "mcopy", "ssh-keygen", "xz"}

// Build gives the image, from the cache when the recipe has not changed.
func Build(ctx context.Context, log Log) (*Image, error) {
	if err := missing(needs); err != nil {
		return nil, err
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"), log)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return build(ctx, cache, log)
}

func build(ctx context.Context, cache string, log Log) (*Image, error) {
	image := &Image{key: filepath.Join(cache, "key"), log: log}
	if err := ensureKey(ctx, image.key); err != nil {
		return nil, err
	}
	if err := image.ensureRoot(ctx, cache); err != nil {
		return nil, fmt.Errorf("cannot build the root file system: %w", err)
	}
	if err := image.ensureBooted(ctx, cache); err != nil {
		return nil, fmt.Errorf("cannot save a booted machine: %w", err)
	}
	return image, nil
}

// CacheDir is where images are kept, never the repository.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot find the cache folder: %w", err)
	}
	dir := filepath.Join(base, "sekisho", "lab")
	return dir, os.MkdirAll(dir, 0o700)
}

func ensureKey(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return run(ctx, time.Minute, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sekisho-lab", "-f", path)
}

func (image *Image) ensureRoot(ctx context.Context, cache string) error {
	hash, err := recipeHash()
	if err != nil {
		return err
	}
	image.root = filepath.Join(cache, "root-"+hash)
	if _, err := os.Stat(image.root); err == nil {
		return nil
	}
	image.log("building the lab's Debian image (about two minutes, once)")
	return whole(image.root, func(dir string) error { return image.buildRoot(ctx, dir) })
}

func (image *Image) buildRoot(ctx context.Context, dir string) error {
	recipe, err := os.MkdirTemp("", "sekisho-recipe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(recipe)
	if err := writeRecipe(recipe); err != nil {
		return err
	}
	script := []string{"bash", filepath.Join(recipe, "build.sh"), recipe, dir, image.key + ".pub"}
	if os.Geteuid() != 0 {
		script = append([]string{"sudo", "--preserve-env=SEKISHO_LAB_MIRROR,SEKISHO_LAB_SECURITY_MIRROR"}, script...)
	}
	if err := run(ctx, 15*time.Minute, script[0], script[1:]...); err != nil {
		return err
	}
	if err := extractKernel(ctx, filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "vmlinux")); err != nil {
		return err
	}
	return makeStick(ctx, filepath.Join(dir, "stick.img"))
}

// ensureBooted boots the image once and keeps memory and disk as they were when ssh answered.
func (image *Image) ensureBooted(ctx context.Context, cache string) error {
	hash, err := image.machineHash(ctx)
	if err != nil {
		return err
	}
	image.booted = filepath.Join(cache, "booted-"+hash)
	if _, err := os.Stat(image.booted); err == nil {
		return nil
	}
	image.log("booting the lab machine once and saving its state (about half a minute, once)")
	return whole(image.booted, func(dir string) error { return image.saveBooted(ctx, dir) })
}

func (image *Image) saveBooted(ctx context.Context, dir string) error {
	m, err := image.Start(ctx, Options{Cold: true, overlay: filepath.Join(dir, "disk.qcow2")})
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := m.Run(ctx, settled); err != nil {
		return fmt.Errorf("the machine does not come to rest: %w", err)
	}
	return m.save(ctx, filepath.Join(dir, "state"))
}

// From gives the image whose machines go on from a frozen moment instead of the boot. One that starts Cold begins with the
// original disk all the same.
func (image *Image) From(dir string) *Image {
	frozen := *image
	frozen.booted = dir
	return &frozen
}

// Freeze keeps a running machine's memory and disk in a folder, for From, and ends it. Nothing may be plugged in.
func (m *Machine) Freeze(ctx context.Context, dir string) error {
	if err := whole(dir, func(part string) error { return m.freeze(ctx, part) }); err != nil {
		return fmt.Errorf("cannot freeze the machine: %w", err)
	}
	return nil
}

func (m *Machine) freeze(ctx context.Context, dir string) error {
	if err := m.save(ctx, filepath.Join(dir, "state")); err != nil {
		return err
	}
	m.halt()
	return copyFile(m.Overlay, filepath.Join(dir, "disk.qcow2"))
}

// settled waits until start-up is over and the user's session is there.
const settled = `timeout 120 systemctl is-system-running --wait >/dev/null
for i in $(seq 600); do
  busctl --user --machine=taro@.host status org.freedesktop.Notifications >/dev/null 2>&1 && break
  XDG_RUNTIME_DIR=/run/user/1000 pgrep -u taro -f notified.py >/dev/null && [ -S /run/user/1000/bus ] && break
  sleep 0.1
done
pgrep -u taro -f notified.py >/dev/null && sync`

// machineHash names a saved state: it only fits the same QEMU, the same flags and the same processor.
func (image *Image) machineHash(ctx context.Context) (string, error) {
	version, err := output(ctx, 10*time.Second, "qemu-system-x86_64", "--version")
	if err != nil {
		return "", err
	}
	flags := image.flags(Options{}.orDefault(), files{}, 0)
	sum := sha256.Sum256([]byte(version + strings.Join(flags, " ") + image.root + cpuModel()))
	return hex.EncodeToString(sum[:])[:12], nil
}

// whole makes a folder by filling a temporary one and renaming it: there or not there, nothing between.
func whole(dir string, fill func(string) error) error {
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o700); err != nil {
		return err
	}
	if err := fill(part); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	return os.Rename(part, dir)
}

// lock keeps two builds from doing the same work twice.
func lock(ctx context.Context, path string, log Log) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the lab's cache: %w", err)
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !told {
			log("waiting for another build of the lab image")
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
}
