//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/sensor/software"
	"sekisho/agent/sheet"
	"sekisho/internal/policy"
	"sekisho/internal/roll"
	"sekisho/internal/wire"
)

// inventoryPackages are as many as a large terminal has.
const inventoryPackages = 2000

// inventoryFigures looks at a generated dpkg database as the agent does when it is there for the first time: read, find each
// package's repository, compare. The peer is dpkg-query, which only reads and prints.
func inventoryFigures(ctx context.Context, b bench) error {
	root, err := os.MkdirTemp("", "sekisho-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := furnish(root, inventoryPackages); err != nil {
		return err
	}
	rounds := or(b.rounds, 20)
	b.say("looking at %d packages in %s, %d times, beside dpkg-query", inventoryPackages, root, rounds)
	var own, kept, peer []float64
	for i := range rounds {
		look, keep, err := lookOnce(ctx, root, filepath.Join(root, fmt.Sprint("state", i)))
		if err != nil {
			return err
		}
		took, err := query(ctx, root)
		if err != nil {
			return err
		}
		own, kept, peer = append(own, look), append(kept, keep), append(peer, took)
	}
	b.against("inventory_2000", median(own), "ms", "dpkg-query", median(peer))
	b.figure("inventory_keep", median(kept), "ms")
	extra, err := lookMemory(ctx, root)
	if err != nil {
		return err
	}
	b.figure("inventory_memory", extra, "MB")
	cost, err := installCost(ctx, root)
	if err != nil {
		return err
	}
	b.figure("inventory_install", cost, "bytes")
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// furnish makes dpkg's database, its lists of files, and the list of a signed repository that has all of them.
func furnish(root string, n int) error {
	var status, list strings.Builder
	info := filepath.Join(root, "var/lib/dpkg/info")
	lists := filepath.Join(root, "var/lib/apt/lists")
	for _, dir := range []string{info, filepath.Join(root, "var/lib/dpkg/updates"), lists} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for i := range n {
		name, version := fmt.Sprintf("libexample-part%d", i), fmt.Sprintf("1:%d.%d~rc1-2+deb12u1", i%40, i)
		fmt.Fprintf(&status, "Package: %s\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: %d\nMaintainer: Example Maintainers <maintainers@example.org>\n"+
			"Architecture: amd64\nMulti-Arch: same\nSource: example (%s)\nVersion: %s\nDepends: libc6 (>= 2.34), libgcc-s1 (>= 3.0), libstdc++6 (>= 11)\nDescription: part of an example\n%sHomepage: https://www.example.org/\n\n",
			name, i, version, version, strings.Repeat(" A line of the description as packages have them, of the usual length.\n", 5))
		fmt.Fprintf(&list, "Package: %s\nVersion: %s\nArchitecture: amd64\nFilename: pool/x.deb\nSize: 1000\n\n", name, version)
		if err := os.WriteFile(filepath.Join(info, name+":amd64.list"), []byte("/.\n"), 0o644); err != nil {
			return err
		}
	}
	stem := filepath.Join(lists, "deb.example.lan_debian_dists_stable")
	return errors.Join(os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), []byte(status.String()), 0o644),
		os.WriteFile(stem+"_InRelease", []byte("Origin: Example\n"), 0o644),
		os.WriteFile(stem+"_main_binary-amd64_Packages", []byte(list.String()), 0o644))
}

func eyesIn(root, state string) *software.Eyes {
	return software.Open(software.Options{Root: root, Dir: state, Log: zerolog.Nop()})
}

// lookOnce is a first look, and then its saving with all the syncing that takes. In milliseconds.
func lookOnce(ctx context.Context, root, state string) (look, keep float64, err error) {
	e, begun := eyesIn(root, state), time.Now()
	l, err := e.Look(ctx)
	look = float64(time.Since(begun).Microseconds()) / 1000
	if err == nil && l.Programs.Len() < inventoryPackages {
		err = errors.New("the look did not find what is there")
	}
	if err == nil {
		begun = time.Now()
		err = e.Keep()
		keep = float64(time.Since(begun).Microseconds()) / 1000
	}
	return look, keep, err
}

func lookAndKeep(ctx context.Context, e *software.Eyes) (*software.Look, error) {
	l, err := e.Look(ctx)
	if err == nil {
		err = e.Keep()
	}
	if err == nil && (l == nil || l.Programs.Len() < inventoryPackages || l.Programs.At(0).Source != policy.SourceRepository) {
		err = errors.New("the look did not find what is there")
	}
	return l, err
}

// query is dpkg's own program on the same database.
func query(ctx context.Context, root string) (float64, error) {
	begun := time.Now()
	out, err := exec.CommandContext(ctx, "dpkg-query", "--admindir="+filepath.Join(root, "var/lib/dpkg"), "-W").Output()
	took := float64(time.Since(begun).Microseconds()) / 1000
	if err == nil && strings.Count(string(out), "\n") != inventoryPackages {
		err = errors.New("dpkg-query found something else")
	}
	return took, err
}

// lookMemory is how far the memory of this process grows during a look, and what the sheet of it keeps
// (https://docs.kernel.org/filesystems/proc.html: 5 in clear_refs forgets the peak).
func lookMemory(ctx context.Context, root string) (float64, error) {
	debug.FreeOSMemory()
	before, err := readMemory(os.Getpid())
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return 0, err
	}
	l, err := lookAndKeep(ctx, eyesIn(root, filepath.Join(root, "state-memory")))
	if err != nil {
		return 0, err
	}
	k := sheet.Open(filepath.Join(root, "state-memory"), time.Now, zerolog.Nop())
	if err := k.Put(wire.SheetSoftware, lines(l.Programs)); err != nil {
		return 0, err
	}
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			peak, err := kilobytes(strings.Fields(rest)[0])
			return max(peak-before.rss, 0), err
		}
	}
	return 0, errors.New("the kernel tells no peak")
}

func lines(programs *roll.Roll) (out sheet.Items) {
	for p := range programs.All() {
		body, err := json.Marshal(p)
		if err == nil {
			out = append(out, wire.Item{ID: p.ID, Body: body})
		}
	}
	return out
}

// installCost is what one more package costs on the wire: the request with its record and the step of the sheet, not compressed.
func installCost(ctx context.Context, root string) (float64, error) {
	state := filepath.Join(root, "state-cost")
	e := eyesIn(root, state)
	l, err := lookAndKeep(ctx, e)
	if err != nil {
		return 0, err
	}
	k := sheet.Open(state, time.Now, zerolog.Nop())
	if err := k.Put(wire.SheetSoftware, lines(l.Programs)); err != nil {
		return 0, err
	}
	for steps := k.Next(); len(steps) > 0; steps = k.Next() {
		k.Answered(map[string]wire.Hash{wire.SheetSoftware: steps[0].To})
	}
	if err := installOne(root); err != nil {
		return 0, err
	}
	if l, err = lookAndKeep(ctx, e); err != nil {
		return 0, err
	}
	if err := k.Put(wire.SheetSoftware, lines(l.Programs)); err != nil || len(l.Events) != 1 {
		return 0, errors.Join(err, fmt.Errorf("%d events", len(l.Events)))
	}
	d := policy.DecideProgram(&policy.Policy{Revision: 41, Software: policy.DefaultSoftware()}, l.Events[0].Program, time.Now())
	record, err := json.Marshal(wire.Record{Kind: wire.RecordProgram, At: time.Now(), Software: &l.Events[0], Decision: &d, Outcome: policy.OutcomeAllowed, Revision: 41, Boot: "0b0f6a5c-6d0e-4d43-9f5e-0e5b3a1f2c3d"})
	if err != nil {
		return 0, err
	}
	raw, err := json.Marshal(wire.EventsRequest{Version: wire.Version, Outbox: "0123456789abcdef0123456789abcdef", First: 1000, Entries: []wire.Entry{{Body: record}}, Sheets: k.Next()})
	return float64(len(raw)), err
}

func installOne(root string) error {
	f, err := os.OpenFile(filepath.Join(root, "var/lib/dpkg/status"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("Package: one-more\nStatus: install ok installed\nMaintainer: Example Maintainers <maintainers@example.org>\nArchitecture: amd64\nVersion: 1:2.3-4\n\n")
	return errors.Join(err, f.Close())
}
