//go:build lab && linux

package flows

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	cryptorand "crypto/rand"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/vm"
)

// A kept office is a console's folder and a terminal's memory and disk of the same moment: the agent is installed, its policy
// counts, and it is at rest. It is made once in a run, as a person would make it; every scene goes on from it with copies of
// its own, and its agent starts as it does on any morning. So the emulated processor installs once, not in every test.
type kept struct{ dir string }

// door is how the kept console is reached.
type door struct {
	People, Terminals int
	Secret            string
}

func keptOffice(mode policy.Mode) kept {
	return kept{filepath.Join(os.Getenv("SEKISHO_LAB_BIN"), "office-"+string(mode))}
}

func (k kept) terminal() string { return filepath.Join(k.dir, "terminal") }

// standing gives an office whose agent is at work in this mode.
func standing(t *testing.T, mode policy.Mode) *scene {
	image, err := vm.Build(t.Context(), t.Logf)
	must(t, err)
	k := keptOffice(mode)
	if _, err := os.Stat(k.dir); err != nil {
		k.make(t, image, mode)
	}
	s := &scene{T: t}
	s.timed("the kept office stands again", func() {
		s.console = k.console(t)
		s.on(image.From(k.terminal()), vm.Options{})
	})
	s.timed("its agent is at work", func() {
		began := time.Now()
		s.run("systemctl start sekisho-agent")
		s.terminal("at work again", func(t store.Terminal) bool { return t.Applied == t.Revision && !t.LastContact.Before(began) })
	})
	return s
}

// make installs the agent, or goes on from the office where that was done and shuts the gate, and keeps what then stands.
// It is there whole or not at all: a test that cannot make it fails, and the next one tries anew.
func (k kept) make(t *testing.T, image *vm.Image, mode policy.Mode) {
	t.Helper()
	began := time.Now()
	var s *scene
	if mode == policy.ModeEnforce {
		s = standing(t, policy.ModeAudit)
		s.enforce()
	} else {
		s = &scene{T: t, console: lasting(t)}
		s.on(image, vm.Options{})
		s.undisturbed()
		s.arrive()
	}
	s.run("systemctl stop sekisho-agent && sync")
	part := kept{k.dir + ".part"}
	must(t, os.RemoveAll(part.dir))
	must(t, s.machine.Freeze(t.Context(), part.terminal()))
	s.console.keep(filepath.Join(part.dir, "console"))
	must(t, os.Rename(part.dir, k.dir))
	t.Logf("the office in mode %s is made and kept after %v", mode, time.Since(began).Round(100*time.Millisecond))
}

// lasting is a console whose doors stay its own: they are not among those that the system gives to whoever asks.
func lasting(t *testing.T) *console {
	c := &console{t: t, binary: program("sekisho-console"), state: t.TempDir(), people: lastingPort(t), terminals: lastingPort(t), secret: cryptorand.Text()}
	c.configure()
	c.open()
	c.firstAccount()
	return c
}

// lastingPort is free, and below the range of ports that come and go
// (https://docs.kernel.org/networking/ip-sysctl.html, ip_local_port_range).
func lastingPort(t *testing.T) (port int) {
	t.Helper()
	eventually(t, 5*time.Second, "a free port", func() error {
		port = 20000 + rand.IntN(10000)
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return fmt.Errorf("port %d: %w", port, err)
		}
		return listener.Close()
	})
	return port
}

// keep ends the console and keeps its folder.
func (c *console) keep(dir string) {
	c.t.Helper()
	c.stop(syscall.SIGTERM)
	must(c.t, c.db.Close())
	way, err := json.Marshal(door{c.people, c.terminals, c.secret})
	must(c.t, err)
	must(c.t, exec.CommandContext(c.t.Context(), "cp", "-a", c.state, dir).Run())
	must(c.t, os.WriteFile(dir+".json", way, 0o600))
}

// console starts a copy of the kept one.
func (k kept) console(t *testing.T) *console {
	t.Helper()
	var way door
	text, err := os.ReadFile(filepath.Join(k.dir, "console.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &way))
	state := filepath.Join(t.TempDir(), "console")
	must(t, exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(k.dir, "console"), state).Run())
	c := &console{t: t, binary: program("sekisho-console"), state: state, people: way.People, terminals: way.Terminals, secret: way.Secret}
	c.open()
	return c
}
