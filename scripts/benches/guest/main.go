//go:build linux

// Command guest is the part of the benchmarks that runs inside the lab's machine: a reader that races for every disk,
// a click on the console, a bare authorisation, the start of programs. It answers with one JSON object and never judges.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "reached" {
		fmt.Println("REACHED") // it was run, although nobody permitted it
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	answer, err := dispatch(ctx, os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) (any, error) {
	switch {
	case len(args) == 2 && args[0] == "race":
		return race(ctx, args[1])
	case len(args) == 4 && args[0] == "click":
		return click(ctx, args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "authorise":
		return authorise(ctx, args[1])
	case len(args) == 1 && args[0] == "rest":
		return rest(ctx)
	case len(args) > 2 && args[0] == "execs":
		return execs(args[1], args[2:])
	}
	return nil, errors.New("expected: race READY-FILE | click URL TOKEN FORM | authorise INTERFACE | rest | execs TIMES PROGRAM…")
}

// took is an answer in nanoseconds.
type took struct {
	Usable int64 `json:"usable"` // from the act to the first byte of the block device
	Acted  int64 `json:"acted"`  // how long the act itself took to be answered
}

// usable waits until a disk gives its first sector, and says how long after begun that was.
func usable(ctx context.Context, begun time.Time) (int64, error) {
	sector := make([]byte, 512)
	over := time.Now().Add(30 * time.Second)
	for time.Now().Before(over) && ctx.Err() == nil {
		for _, path := range disks {
			if read(path, sector) > 0 {
				return time.Since(begun).Nanoseconds(), nil
			}
		}
		time.Sleep(200 * time.Microsecond) // the kernel has work of its own to do on these two processors
	}
	return 0, errors.New("no disk became readable within 30 s")
}

// blocked makes sure that there is nothing to read before the act that is measured.
func blocked() error {
	sector := make([]byte, 512)
	for _, path := range disks {
		if read(path, sector) > 0 {
			return errors.New(path + " is readable already")
		}
	}
	return nil
}

// disks are where the kernel puts sticks; the machine's own disk is called otherwise.
var disks = []string{"/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd"}

// read gives how many bytes of a disk could be read.
func read(path string, into []byte) int {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(fd)
	n, err := syscall.Read(fd, into)
	if err != nil {
		return 0
	}
	return n
}

// authorise lets one interface in by hand, as the kernel's documentation says, and waits for its disk.
// https://docs.kernel.org/usb/authorization.html
func authorise(ctx context.Context, iface string) (took, error) {
	if err := blocked(); err != nil {
		return took{}, err
	}
	begun := time.Now()
	err := errors.Join(
		os.WriteFile("/sys/bus/usb/devices/"+iface+"/authorized", []byte("1"), 0),
		os.WriteFile("/sys/bus/usb/drivers_probe", []byte(iface), 0))
	acted := time.Since(begun).Nanoseconds()
	if err != nil {
		return took{}, err
	}
	n, err := usable(ctx, begun)
	return took{Usable: n, Acted: acted}, err
}
