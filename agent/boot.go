package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sekisho/internal/durable"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

const (
	bootFile   = "boot.json"
	bootIDFile = "proc/sys/kernel/random/boot_id" // proc_sys_kernel(5)
	maxNote    = 1 << 20
)

// bootNote is what the agent keeps about the running start of the machine.
type bootNote struct {
	Boot    string   `json:"boot"`
	System  []string `json:"system"`  // the machine's own disks, as they were when the agent first looked in this boot
	Running bool     `json:"running"` // an agent is at work; still true at the next start when it was killed
}

// bootID names this start of the machine; "" where the system has no such name.
func bootID(root string) string {
	raw, err := os.ReadFile(filepath.Join(root, bootIDFile))
	if err != nil {
		return otherBootID()
	}
	return cut(strings.TrimSpace(string(raw)), 64)
}

// openBoot reads the note of dir and says how the agent before this one ended. A note of an earlier boot
// tells nothing about the disks of this one.
func openBoot(dir, boot string) (note bootNote, ended string) {
	old, err := readBoot(filepath.Join(dir, bootFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bootNote{Boot: boot}, "first"
	case err != nil:
		return bootNote{Boot: boot}, "unknown"
	case old.Boot != boot || boot == "":
		return bootNote{Boot: boot}, endedBefore(old.Running, "power_lost")
	}
	return old, endedBefore(old.Running, "killed")
}

func endedBefore(running bool, how string) string {
	if running {
		return how
	}
	return "stopped"
}

func readBoot(path string) (bootNote, error) {
	var n bootNote
	info, err := os.Stat(path)
	if err != nil {
		return n, err
	}
	if info.Size() > maxNote {
		return n, errors.New("cannot read boot note: too long")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(raw, &n)
}

func saveBoot(dir string, n bootNote) error {
	n.System = slices.Clone(n.System)
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, bootFile), raw, 0o600)
}

// startRecord tells how the agent before this one ended. Code is what the console shows.
func startRecord(version, ended string) wire.Record {
	code := "started"
	if ended == "killed" || ended == "power_lost" {
		code = "started_after_" + ended
	}
	return wire.Record{Kind: wire.RecordAgent, Code: code, Note: "version " + version + ", before: " + ended}
}

// firstPolicy is what the agent judges by before the console is heard: the saved policy, or, where there is none,
// the built-in one. A gate that stands shut shows that this terminal was enforced: then nothing is opened.
func firstPolicy(saved *policy.Policy, problem error, gateState string) (*policy.Policy, *wire.Record) {
	if problem == nil && saved != nil {
		return saved, nil
	}
	mode := policy.ModeAudit
	if gateState != "open" && gateState != "none" {
		mode = policy.ModeEnforce
	}
	r := &wire.Record{Kind: wire.RecordPolicy, Code: "builtin_" + string(mode)}
	if problem != nil {
		r.Note = cut(problem.Error(), 1024)
	}
	return policy.Builtin(mode), r
}
