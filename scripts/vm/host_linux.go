package vm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// run runs a program of this machine; what it says is shown only when it fails.
func run(ctx context.Context, limit time.Duration, name string, args ...string) error {
	_, err := output(ctx, limit, name, args...)
	return err
}

func output(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("cannot run %s: %w: %s", filepath.Base(name), err, tail(errOut.String(), 2000))
	}
	return out.String(), nil
}

func missing(programs []string) error {
	var lost []string
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("cannot find %s (scripts/lab installs them)", strings.Join(lost, ", "))
	}
	return nil
}

var hardwareVirtualisation = regexp.MustCompile(`(?m)^flags\s*:.*\b(vmx|svm)\b`)

// kvmUsable: the device node may be there on machines that cannot do it; the processor's flags tell.
func kvmUsable() bool {
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || !hardwareVirtualisation.Match(cpu) {
		return false
	}
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	device.Close()
	return true
}

func cpuModel() string {
	cpu, _ := os.ReadFile("/proc/cpuinfo")
	return string(regexp.MustCompile(`(?m)^model name.*$`).Find(cpu))
}

// extractKernel takes the ELF kernel out of a bzImage: QEMU starts it directly (PVH) and the guest need not decompress it.
// Header fields: https://docs.kernel.org/arch/x86/boot.html (setup_sects 0x1f1, payload_offset 0x248, payload_length 0x24c).
func extractKernel(ctx context.Context, from, to string) error {
	image, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if len(image) < 0x260 || string(image[0x202:0x206]) != "HdrS" {
		return fmt.Errorf("%s is not a bzImage", from)
	}
	start := (int(image[0x1f1])+1)*512 + int(binary.LittleEndian.Uint32(image[0x248:]))
	length := int(binary.LittleEndian.Uint32(image[0x24c:]))
	if start < 0 || length < 8 || start+length > len(image) {
		return fmt.Errorf("%s has an impossible payload", from)
	}
	cmd := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--single-stream")
	cmd.Stdin = bytes.NewReader(image[start : start+length-4]) // the last four bytes are the size
	elf, err := cmd.Output()
	if err != nil || !bytes.HasPrefix(elf, []byte("\x7fELF")) {
		return fmt.Errorf("cannot decompress the kernel: %w", errors.Join(err, fmt.Errorf("%d bytes", len(elf))))
	}
	return os.WriteFile(to, elf, 0o644)
}

// Secret is what lies on every stick of the lab, in /SECRET.TXT and nowhere else.
const Secret = "SEKISHO-LAB-SECRET carried out: 0123456789"

// makeStick writes a 16 MiB vfat medium. mkfs.vfat, not mformat: that one writes a partition table that is none.
func makeStick(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp("", "sekisho-stick-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	secret := filepath.Join(dir, "SECRET.TXT")
	if err := os.WriteFile(secret, []byte(strings.Repeat(Secret+"\n", 4096)), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(path, 16<<20); err != nil {
		return err
	}
	if err := run(ctx, time.Minute, mkfsVfat(), "-n", "LABSTICK", path); err != nil {
		return err
	}
	return run(ctx, time.Minute, "mcopy", "-i", path, secret, "::SECRET.TXT")
}

// mkfsVfat finds it also for people whose PATH has no sbin.
func mkfsVfat() string {
	if path, err := exec.LookPath("mkfs.vfat"); err == nil {
		return path
	}
	return "/usr/sbin/mkfs.vfat"
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-n):]
}
