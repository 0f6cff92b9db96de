package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"sekisho/internal/durable"
)

const maxConfig = 64 << 10

// config is what the console cannot know. Everything else is policy.
type config struct {
	Server      string `yaml:"server,omitempty"`      // address of the console's terminal listener, https://console:8444
	Fingerprint string `yaml:"fingerprint,omitempty"` // SHA-256 of the console's CA
	Token       string `yaml:"token,omitempty"`       // one-time enrolment code
	TokenFile   string `yaml:"token_file,omitempty"`  // or a file that holds it
	State       string `yaml:"state,omitempty"`       // state folder

	complaint string // why what a group policy says is not in here
}

// readConfig reads the file; one that is not there is an agent without a console.
func readConfig(path string) (config, error) {
	c := config{State: defaultState}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("cannot read configuration: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return c, fmt.Errorf("cannot read configuration: %w", err)
	}
	return parseConfig(path, raw)
}

// parseConfig refuses what it does not know: a misspelt word must not be silently without effect.
func parseConfig(path string, raw []byte) (config, error) {
	c := config{}
	if len(raw) > maxConfig {
		return c, fmt.Errorf("cannot read configuration %s: longer than %d bytes", path, maxConfig)
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return config{}, fmt.Errorf("cannot read configuration %s: %s", path, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", ""))
	}
	if c.State == "" {
		c.State = defaultState
	}
	return c, c.check(path)
}

func (c config) check(path string) error {
	switch {
	case !filepath.IsAbs(c.State):
		return fmt.Errorf("cannot use configuration %s: state must be an absolute path, not %q", path, c.State)
	case c.Token != "" && c.TokenFile != "":
		return fmt.Errorf("cannot use configuration %s: give token or token_file, not both", path)
	case c.Server != "" && !strings.HasPrefix(c.Server, "https://"):
		return fmt.Errorf("cannot use configuration %s: server must begin with https://, not %q", path, c.Server)
	case c.Server == "" && (c.Token != "" || c.TokenFile != ""):
		return fmt.Errorf("cannot use configuration %s: a token needs a server", path)
	}
	return nil
}

// token gives the enrolment code, "" when there is none.
func (c config) token() (string, error) {
	if c.TokenFile == "" {
		return c.Token, nil
	}
	raw, err := os.ReadFile(c.TokenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read enrolment code: %w", err)
	}
	return strings.TrimSpace(cut(string(raw), 4096)), nil
}

// write saves the configuration; it may hold an enrolment code, so nobody else may read it.
func (c config) write(path string) error {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot write configuration: %w", err)
	}
	return durable.WriteFile(path, raw, 0o600)
}
