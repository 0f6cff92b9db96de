package health

import (
	"context"
	"fmt"
	"os"
	"time"

	"sekisho/internal/osexec"
)

// filters asks for the rules that are loaded.
func (e *Eyes) filters(ctx context.Context) (four, six bool, source string, err error) {
	if osexec.Has(osexec.Nft) {
		// -t leaves the members of sets out, which can be many.
		out, err := osexec.Run(ctx, osexec.Nft, osexec.Options{}, "-j", "-t", "list", "ruleset")
		if err != nil {
			return false, false, "nft", err
		}
		four, six, err = nftFilters(out)
		if four && six || err != nil || !osexec.Has(osexec.IptablesSave) {
			return four, six, "nft list ruleset", err
		}
	}
	a, err := osexec.Run(ctx, osexec.IptablesSave, osexec.Options{}, "-t", "filter")
	if err != nil {
		return four, six, "iptables-save", err
	}
	b, err := osexec.Run(ctx, osexec.Ip6tablesSave, osexec.Options{}, "-t", "filter")
	if err != nil {
		return four, six, "ip6tables-save", err
	}
	return four || iptablesFilters(string(a)), six || iptablesFilters(string(b)), "iptables-save", nil
}

// askDnf asks dnf for what it knows already. It writes a log and locks its cache even then: the log goes where only the agent
// reads, and the unit lets it lock.
func (e *Eyes) askDnf(ctx context.Context) ([]string, error) {
	args := []string{"-C", "-q", "--setopt=logdir=" + e.Scratch}
	if e.Root != "" && e.Root != "/" {
		args = append(args, "--installroot="+e.Root, "--releasever=/")
	}
	if err := os.MkdirAll(e.Scratch, 0o700); err != nil {
		return nil, fmt.Errorf("cannot ask dnf: %w", err)
	}
	out, err := osexec.Run(ctx, osexec.Dnf, osexec.Options{Timeout: time.Minute}, append(args, "updateinfo", "list", "--security")...)
	if err != nil {
		return nil, err
	}
	return parseAdvisories(string(out)), nil
}
