//go:build lab && linux

package flows

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/wire"
	"sekisho/scripts/vm"
)

func TestAnUpdateIsInstalledAndABadOneIsRolledBack(t *testing.T) {
	f := newForge(t)
	image, err := vm.Build(t.Context(), t.Logf)
	must(t, err)
	s := &scene{T: t, console: newConsole(t, f.console)}
	s.machine, err = image.Start(t.Context(), vm.Options{})
	must(t, err)
	t.Cleanup(func() {
		s.lastWords()
		s.machine.Close()
	})
	must(t, s.machine.Put(t.Context(), program("racer"), "/usr/local/bin/racer"))
	must(t, s.machine.Put(t.Context(), f.agent("1.0"), "/usr/bin/sekisho-agent"))
	s.run("sekisho-agent install " + s.invite())
	s.enforce()
	s.plug(vm.Device{ID: "stick", Kind: vm.UAS, Serial: "UPDATE-1"})
	s.blocked("UPDATE-1")
	identity := s.run("cd /var/lib/sekisho/identity && sha256sum *")

	s.carryIn(f.bundle("1.1", f.agent("1.1")))
	s.offer("1.1")
	s.unreadable("while the agent is replaced", func() {
		s.updated(7*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateInstalled })
	})
	s.row("it was installed", func(e store.Event) bool { return e.Record.Code == wire.CodeUpdateInstalled })
	if got := s.run("sekisho-agent version; cd /var/lib/sekisho/identity && sha256sum *"); !strings.Contains(got, "sekisho-agent 1.1 ") || !strings.Contains(got, identity) {
		t.Errorf("after the update: %s", got)
	}

	s.carryIn(f.bundle("1.2", f.dying()))
	s.offer("1.2")
	u := s.updated(7*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateRolledBack })
	if u.Version != "1.2" || u.Code != wire.ReasonCrashed {
		t.Errorf("it was rolled back like this: %+v", u)
	}
	s.row("it was rolled back", func(e store.Event) bool { return e.Record.Code == wire.CodeUpdateRolledBack && e.Violation })
	if disks := s.disks(); disks != "" {
		t.Errorf("after the way back disks are there: %s", disks)
	}

	s.carryIn(f.bundle("1.3", f.agent("1.3")))
	s.offer("1.3")
	s.updated(7*time.Minute, "1.1", func(u wire.Update) bool { return u.State == wire.UpdateInstalling })
	must(t, s.machine.PowerCut(t.Context()))
	must(t, s.machine.PowerOn(t.Context()))
	s.updated(12*time.Minute, "1.3", func(u wire.Update) bool { return u.State == wire.UpdateInstalled })

	s.noGap()
	left := s.run("ls -A /usr/bin | grep '^.*sekisho-agent' ; ls -A /var/lib/sekisho/update; systemctl is-active sekisho-agent; systemctl is-active sekisho-update || true")
	if left != "sekisho-agent\nresult.json\nactive\ninactive" {
		t.Errorf("left is %q", left)
	}
}

// forge is who builds releases: programs in several versions, and the key that signs them.
type forge struct {
	t                *testing.T
	dir, key, public string
	console          string
	programs         map[string]string
}

func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{t: t, dir: t.TempDir(), programs: map[string]string{}}
	f.key = filepath.Join(f.dir, "release.key")
	f.tool("key", f.key)
	f.public = strings.TrimSpace(f.tool("public", f.key))
	f.console = f.build("console", "sekisho/console", "1.0")
	return f
}

func (f *forge) tool(args ...string) string {
	f.t.Helper()
	out, err := exec.CommandContext(f.t.Context(), "go", append([]string{"run", "sekisho/scripts/bundle"}, args...)...).CombinedOutput()
	if err != nil {
		f.t.Fatalf("bundle %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (f *forge) build(name, source, version string) string {
	f.t.Helper()
	out := filepath.Join(f.dir, name)
	cmd := exec.CommandContext(f.t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w -X main.version="+version+" -X main.releaseKeys="+f.public, "-o", out, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("cannot build %s: %v\n%s", name, err, said)
	}
	return out
}

func (f *forge) agent(version string) string {
	f.t.Helper()
	if f.programs[version] == "" {
		f.programs[version] = f.build("agent-"+version, "sekisho/agent", version)
	}
	return f.programs[version]
}

// dying is a program that ends at once.
func (f *forge) dying() string {
	f.t.Helper()
	path := filepath.Join(f.dir, "dying")
	must(f.t, os.WriteFile(path, []byte("#!/bin/false\n"), 0o755))
	return path
}

// bundle signs a release for the lab machine.
func (f *forge) bundle(version, program string) string {
	f.t.Helper()
	out := filepath.Join(f.dir, version+".skb")
	f.tool("make", "-key", f.key, "-version", version, "-out", out, "linux/amd64="+program)
	return out
}

// carryIn uploads a bundle as the page's form does.
func (s *scene) carryIn(path string) {
	s.Helper()
	raw, err := os.ReadFile(path)
	must(s.T, err)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("bundle", filepath.Base(path))
	must(s.T, err)
	_, err = part.Write(raw)
	must(s.T, err)
	must(s.T, form.Close())
	request, err := http.NewRequestWithContext(s.T.Context(), "POST", "https://127.0.0.1:"+strconv.Itoa(s.people)+"/updates", &body)
	must(s.T, err)
	request.Header.Set("Authorization", "Bearer "+s.secret)
	request.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := s.client.Do(request)
	must(s.T, err)
	answer.Body.Close()
	if answer.StatusCode >= 400 {
		s.Fatalf("carrying in %s: %s", path, answer.Status)
	}
}

// offer presses the button behind the preview.
func (s *scene) offer(version string) {
	s.Helper()
	offers, err := s.db.Offers(s.T.Context())
	must(s.T, err)
	newest := int64(0)
	if len(offers) > 0 {
		newest = offers[0].ID
	}
	s.call("POST", "/updates/offer", url.Values{"version": {version}, "ring": {store.RingAll}, "newest": {fmt.Sprint(newest)}})
}

// updated waits until the terminal runs this version and its update is as it should be.
func (s *scene) updated(within time.Duration, agent string, fits func(wire.Update) bool) (u wire.Update) {
	s.Helper()
	eventually(s.T, within, "the terminal runs "+agent, func() error {
		list, err := s.db.Terminals(s.T.Context(), "", "")
		if err != nil || len(list) == 0 || list[0].Status.Update == nil {
			return fmt.Errorf("nothing is said about the update: %v", err)
		}
		u = *list[0].Status.Update
		if list[0].Status.Agent != agent || !fits(u) {
			return fmt.Errorf("it runs %s and says %+v", list[0].Status.Agent, u)
		}
		return nil
	})
	return u
}
