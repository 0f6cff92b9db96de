package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// config is console.yaml: what an administrator may choose before there is a page to choose it on.
type config struct {
	People      string        `yaml:"people"`       // address of the pages
	Terminals   string        `yaml:"terminals"`    // address of the agents' listener
	Names       []string      `yaml:"names"`        // host names and addresses in the certificate; the first one is shown in links
	TimeZone    string        `yaml:"time_zone"`    // of days and fiscal years
	PolicyKey   string        `yaml:"policy_key"`   // file with the key that signs policies
	SilentAfter time.Duration `yaml:"silent_after"` // a terminal without contact for so long is shown as silent
}

func readConfig(state string) (config, error) {
	c := config{People: ":8443", Terminals: ":8444", TimeZone: "Asia/Tokyo", PolicyKey: filepath.Join(state, "policy.key")}
	path := filepath.Join(state, "console.yaml")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("cannot read configuration: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, hint(fmt.Errorf("cannot read configuration %s: %w", path, err), "known are people, terminals, names, time_zone, policy_key, silent_after")
	}
	if len(c.Names) == 0 {
		c.Names = ownNames()
	}
	return c, c.check(path)
}

func (c config) check(path string) error {
	for _, address := range []string{c.People, c.Terminals} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return hint(fmt.Errorf("cannot use configuration %s: %w", path, err), `write an address like ":8443" or "192.0.2.1:8443"`)
		}
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return hint(fmt.Errorf("cannot use configuration %s: %w", path, err), "write a time zone like Asia/Tokyo")
	}
	return nil
}

// ownNames are the names and addresses under which this machine can be reached.
func ownNames() []string {
	var names []string
	if host, err := os.Hostname(); err == nil && host != "" {
		names = append(names, host)
	}
	names = append(names, "localhost")
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return append(names, "127.0.0.1", "::1")
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLinkLocalUnicast() {
			names = append(names, ip.IP.String())
		}
	}
	return names
}
