//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// raced is what a racing reader came to.
type raced struct {
	Tries   int64    `json:"tries"`
	Bytes   int64    `json:"bytes"`
	Devices int      `json:"devices"` // block devices called sd* that the kernel announced
	Names   []string `json:"names"`
}

// race opens and reads every disk in a tight loop until it is told to stop; the kernel's own announcements count the disks,
// so that one that lives shorter than a turn of the loop counts as well.
func race(ctx context.Context, ready string) (r raced, err error) {
	kernel, err := listen()
	if err != nil {
		return r, err
	}
	defer syscall.Close(kernel)
	if err := os.WriteFile(ready, []byte("ready\n"), 0o600); err != nil {
		return r, err
	}
	runtime.LockOSThread()
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		for _, path := range disks {
			r.Bytes += int64(read(path, buf))
		}
		r.Tries++
		if r.Tries%64 == 0 {
			if err := r.hear(kernel); err != nil {
				return r, err
			}
		}
	}
	return r, r.hear(kernel)
}

// listen subscribes to the kernel's events (group 1; 2 would be udev's), with room for thousands.
func listen() (int, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return 0, fmt.Errorf("cannot listen to the kernel: %w", err)
	}
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 32<<20),
		syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: 1}))
	return fd, err
}

// hear counts what the kernel has announced since the last time. Lost events are an error: then nobody knows.
func (r *raced) hear(fd int) error {
	buf := make([]byte, 16<<10)
	for {
		n, _, err := syscall.Recvfrom(fd, buf, 0)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot hear the kernel: %w", err)
		}
		r.count(buf[:n])
	}
}

func (r *raced) count(event []byte) {
	add, disk, name := false, false, ""
	for field := range bytes.SplitSeq(event, []byte{0}) {
		s := string(field)
		add = add || s == "ACTION=add"
		disk = disk || s == "DEVTYPE=disk"
		if n, ok := strings.CutPrefix(s, "DEVNAME="); ok {
			name = n
		}
	}
	if add && disk && strings.HasPrefix(name, "sd") {
		r.Devices++
		if len(r.Names) < 20 {
			r.Names = append(r.Names, fmt.Sprintf("%s at %s", name, time.Now().Format("15:04:05.000")))
		}
	}
}
