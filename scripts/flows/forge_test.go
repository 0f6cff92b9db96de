//go:build (lab || wine) && linux

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
)

// forge is who builds releases: programs in several versions, and the key that signs them.
type forge struct {
	t                *testing.T
	dir, key, public string
	system, overlay  string // of the agents
	console          string
	programs         map[string]string
}

func newForge(t *testing.T, system, overlay string) *forge {
	t.Helper()
	f := &forge{t: t, dir: t.TempDir(), system: system, overlay: overlay, programs: map[string]string{}}
	f.key = filepath.Join(f.dir, "release.key")
	f.tool("key", f.key)
	f.public = strings.TrimSpace(f.tool("public", f.key))
	f.console = f.build("console", "sekisho/console", "1.0", "linux", "")
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

func (f *forge) build(name, source, version, system, overlay string) string {
	f.t.Helper()
	out := filepath.Join(f.dir, name)
	cmd := exec.CommandContext(f.t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w -X main.version="+version+" -X main.releaseKeys="+f.public, "-overlay", overlay, "-o", out, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system)
	if said, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("cannot build %s: %v\n%s", name, err, said)
	}
	return out
}

func (f *forge) agent(version string) string {
	f.t.Helper()
	if f.programs[version] == "" {
		f.programs[version] = f.build("agent-"+version, "sekisho/agent", version, f.system, f.overlay)
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

// bundle signs a release of one program.
func (f *forge) bundle(version, program string) string {
	f.t.Helper()
	out := filepath.Join(f.dir, version+".skb")
	f.tool("make", "-key", f.key, "-version", version, "-out", out, f.system+"/amd64="+program)
	return out
}

// carryIn uploads a bundle as the page's form does.
func (c *console) carryIn(path string) {
	c.t.Helper()
	raw, err := os.ReadFile(path)
	must(c.t, err)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("bundle", filepath.Base(path))
	must(c.t, err)
	_, err = part.Write(raw)
	must(c.t, err)
	must(c.t, form.Close())
	request, err := http.NewRequestWithContext(c.t.Context(), "POST", "https://127.0.0.1:"+strconv.Itoa(c.people)+"/updates", &body)
	must(c.t, err)
	request.Header.Set("Authorization", "Bearer "+c.secret)
	request.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := c.client.Do(request)
	must(c.t, err)
	answer.Body.Close()
	if answer.StatusCode >= 400 {
		c.t.Fatalf("carrying in %s: %s", path, answer.Status)
	}
}

// offer presses the button behind the preview.
func (c *console) offer(version string) {
	c.t.Helper()
	offers, err := c.db.Offers(c.t.Context())
	must(c.t, err)
	newest := int64(0)
	if len(offers) > 0 {
		newest = offers[0].ID
	}
	c.call("POST", "/updates/offer", url.Values{"version": {version}, "ring": {store.RingAll}, "newest": {fmt.Sprint(newest)}})
}

// updated waits until the terminal runs this version and its update is as it should be.
func (c *console) updated(within time.Duration, agent string, fits func(wire.Update) bool) (u wire.Update) {
	c.t.Helper()
	eventually(c.t, within, "the terminal runs "+agent, func() error {
		list, err := c.db.Terminals(c.t.Context(), "", "")
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
