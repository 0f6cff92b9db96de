//go:build linux

// Command racer runs in the lab's machine and tries, in a tight loop, to read from every disk that appears.
// On SIGTERM it prints what it got as one JSON line. It reads only, and never the machine's own disk.
package main

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// report is what the race came to.
type report struct {
	Nodes []string `json:"nodes"` // that were there at any moment
	Opens int      `json:"opens"`
	Bytes int64    `json:"bytes"`
	Loops int      `json:"loops"`
}

// racer remembers which nodes it has seen.
type racer struct {
	report
	seen map[string]bool
	room []byte
}

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	r := racer{seen: map[string]bool{}, room: make([]byte, 64<<10)}
	names := candidates()
	for {
		select {
		case <-stop:
			_ = json.NewEncoder(os.Stdout).Encode(r.report)
			return
		default:
		}
		for _, name := range names {
			r.try(name)
		}
		r.Loops++
	}
}

// candidates are all names a disk of the lab could get; opening them is quicker than listing /dev.
func candidates() []string {
	var names []string
	for letter := 'a'; letter <= 'h'; letter++ {
		names = append(names, "/dev/sd"+string(letter), "/dev/sd"+string(letter)+"1")
	}
	for n := range 3 {
		names = append(names, "/dev/sr"+strconv.Itoa(n), "/dev/nvme"+strconv.Itoa(n)+"n1", "/dev/mmcblk"+strconv.Itoa(n))
	}
	return names
}

func (r *racer) try(name string) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return
	}
	if !r.seen[name] {
		r.seen[name] = true
		r.Nodes = append(r.Nodes, name)
	}
	if err != nil {
		return
	}
	defer file.Close()
	r.Opens++
	if n, err := file.Read(r.room); err == nil || err == io.EOF {
		r.Bytes += int64(n)
	}
}
