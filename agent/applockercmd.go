package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"sekisho/agent/enforce/applocker"
	"sekisho/agent/link"
	"sekisho/agent/sensor/binary"
	"sekisho/internal/policy"
)

// maxSoftware bounds a policy that is read from a file.
const maxSoftware = 4 << 20

// applockerCommand shows what AppLocker is told, or would be; it changes nothing. With --file it shows what is known of one program.
func applockerCommand(ctx context.Context, s streams, args []string) error {
	f := flags("applocker")
	config := f.String("config", defaultConfig, "configuration `file`")
	from := f.String("policy", "", "`file` with a policy's software part as JSON; without it the policy of this terminal")
	group := f.String("group", "", "terminal `category` that the rules of --policy are read for")
	file := f.String("file", "", "show hashes and signer of this `program` instead")
	if err := parse(s, f, args, "Shows what AppLocker on Windows is told by a policy, for Test-AppLockerPolicy. Changes nothing."); err != nil {
		return err
	}
	if *file != "" {
		return showFacts(ctx, s, *file)
	}
	p, err := softwareOf(*config, *from, *group)
	if err != nil {
		return err
	}
	rules := applocker.From(p, applocker.Options{Now: time.Now()})
	for _, u := range rules.Unsaid {
		fmt.Fprintln(s.err, u)
	}
	if len(rules.Rules) == 0 {
		fmt.Fprintln(s.err, "AppLocker is told nothing: no rule stops a program that it could recognise.")
	}
	fmt.Fprint(s.out, rules.Document())
	return nil
}

func showFacts(ctx context.Context, s streams, path string) error {
	facts := binary.Read(ctx, path)
	if facts.Fault != "" {
		return fmt.Errorf("cannot read %s: %s", path, facts.Fault)
	}
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	return enc.Encode(facts)
}

func softwareOf(config, from, group string) (*policy.Policy, error) {
	if from == "" {
		return ownPolicy(config)
	}
	info, err := os.Stat(from)
	if err == nil && info.Size() > maxSoftware {
		err = errors.New("it is too long")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", from, err)
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return nil, err
	}
	p := policy.Builtin(policy.ModeAudit)
	p.Schema, p.Group = policy.SchemaSoftware, group
	if err := json.Unmarshal(raw, &p.Software); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", from, err)
	}
	for _, problem := range p.Validate() {
		err = errors.Join(err, fmt.Errorf("%s: %s", problem.Path, problem.Text.EN))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", from, err)
	}
	return p, nil
}

func ownPolicy(config string) (*policy.Policy, error) {
	if !privileged() {
		return nil, errors.New("cannot read this terminal's policy: only " + superuser + " can; or name a file with --policy")
	}
	c, err := readConfig(config)
	if err != nil {
		return nil, err
	}
	id, err := link.Load(managedConfig(c).State)
	if err != nil {
		return nil, err
	}
	return link.SavedPolicy(managedConfig(c).State, id)
}
