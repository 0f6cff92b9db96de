//go:build (lab || wine || msi) && linux

package flows

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// console is the real program on this machine, driven as people do: through its pages, here as JSON with an API token.
// Its database is only read from outside, except for the first account.
type console struct {
	t                 *testing.T
	binary, state     string
	people, terminals int
	secret            string
	db                *store.DB
	client            *http.Client
	process           *exec.Cmd
}

func newConsole(t *testing.T, binary string) *console {
	c := &console{t: t, binary: binary, state: t.TempDir(), people: freePort(t), terminals: freePort(t), secret: rand.Text()}
	c.configure()
	c.open()
	c.firstAccount()
	return c
}

func (c *console) configure() {
	config := fmt.Sprintf("people: \"127.0.0.1:%d\"\nterminals: \"127.0.0.1:%d\"\nnames: [\"10.0.2.2\", \"127.0.0.1\", \"localhost\"]\n", c.people, c.terminals)
	must(c.t, os.WriteFile(filepath.Join(c.state, "console.yaml"), []byte(config), 0o600))
}

// open starts it and looks into its database.
func (c *console) open() {
	c.start()
	c.t.Cleanup(func() { c.stop(syscall.SIGTERM) })
	c.client = c.newClient()
	var err error
	c.db, err = store.Open(c.t.Context(), filepath.Join(c.state, "console.db"), time.UTC)
	must(c.t, err)
	c.t.Cleanup(func() { c.db.Close() })
}

func (c *console) start() {
	log, err := os.OpenFile(filepath.Join(c.state, "console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(c.t, err)
	defer log.Close()
	c.process = exec.Command(c.binary, "serve", "--state", c.state)
	c.process.Stdout, c.process.Stderr = log, log
	c.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(c.t, c.process.Start())
	c.t.Log("console is started")
	eventually(c.t, 20*time.Second, "the console listens", func() error {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(c.people), time.Second)
		if err != nil {
			return fmt.Errorf("%w; its log: %s", err, c.log())
		}
		return conn.Close()
	})
}

// log is the end of what it wrote.
func (c *console) log() []byte {
	text, _ := os.ReadFile(filepath.Join(c.state, "console.log"))
	return text[max(0, len(text)-4000):]
}

func (c *console) stop(signal syscall.Signal) {
	if c.process == nil {
		return
	}
	_ = c.process.Process.Signal(signal)
	_ = c.process.Wait()
	c.process = nil
	if c.t.Failed() {
		c.t.Logf("console log:\n%s", c.log())
	}
}

func (c *console) newClient() *http.Client {
	ca, err := os.ReadFile(filepath.Join(c.state, "ca.crt"))
	must(c.t, err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		c.t.Fatal("the console's CA is not PEM")
	}
	return &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (c *console) firstAccount() {
	now := time.Now()
	must(c.t, c.db.PutAccount(c.t.Context(), store.Account{Name: "lab", Role: store.RoleAdmin, Language: "ja", Theme: "auto", Hash: "-", CreatedAt: now}, "lab", now))
	account, err := c.db.Account(c.t.Context(), "lab")
	must(c.t, err)
	must(c.t, c.db.PutSession(c.t.Context(), store.Session{Hash: sha256.Sum256([]byte(c.secret)), Account: account, API: true,
		Note: "lab", CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(24 * time.Hour)}, now))
}

// call does one request with the API token and says where it was sent next.
func (c *console) call(method, path string, form url.Values) (location string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, "https://127.0.0.1:"+strconv.Itoa(c.people)+path, strings.NewReader(form.Encode()))
	must(c.t, err)
	request.Header.Set("Authorization", "Bearer "+c.secret)
	request.Header.Set("Accept", "application/json")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := c.client.Do(request)
	must(c.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	must(c.t, err)
	if answer.StatusCode >= 400 {
		c.t.Fatalf("%s %s: %s: %s", method, path, answer.Status, bytes.TrimSpace(body))
	}
	var sent struct{ Location string }
	_ = json.Unmarshal(body, &sent) // a page has no location
	return sent.Location
}

var tokenLine = regexp.MustCompile(`--server (\S+) --token (\S+) --fingerprint (\S+)`)

// invite makes an enrolment code; the answer is what install needs.
func (c *console) invite() string {
	out, err := exec.CommandContext(c.t.Context(), c.binary, "token", "--state", c.state).Output()
	must(c.t, err)
	found := tokenLine.FindStringSubmatch(string(out))
	if found == nil {
		c.t.Fatalf("the console's token command says %q", out)
	}
	return found[0]
}

// publish sets the mode of every terminal's policy, as the policy page does.
func (c *console) publish(mode policy.Mode) {
	c.t.Helper()
	have, err := c.db.GroupPolicy(c.t.Context(), "default", 0)
	must(c.t, err)
	form := policyFields(have.Control, mode)
	form.Set("based_on", strconv.FormatInt(have.Version, 10))
	form.Set("do", "publish")
	form.Set("reason", "lab: "+string(mode))
	form.Set("contact.name", "情報係")
	form.Set("contact.phone", "内線 1234")
	c.call("POST", "/policy/default/edit", form)
	now, err := c.db.GroupPolicy(c.t.Context(), "default", 0)
	must(c.t, err)
	if now.Control.Mode != mode || now.Version != have.Version+1 {
		c.t.Fatalf("the policy is %s version %d after publishing %s over version %d", now.Control.Mode, now.Version, mode, have.Version)
	}
}

// policyFields fills the policy form as the page would, rule for rule.
func policyFields(control policy.Control, mode policy.Mode) url.Values {
	form := url.Values{"mode": {string(mode)}}
	for i, rule := range control.Rules {
		at := "r" + strconv.Itoa(i) + "."
		form.Set(at+"id", rule.ID)
		form.Set(at+"name.ja", rule.Name.JA)
		form.Set(at+"name.en", rule.Name.EN)
		form.Set(at+"action", string(rule.Action))
		form.Set(at+"clause", rule.Clause)
		form.Set(at+"match.class", strings.Join(rule.Match.Class, ", "))
		for _, kind := range rule.Match.Kind {
			form.Add(at+"match.kind", string(kind))
		}
		if rule.Match.Composite {
			form.Set(at+"match.composite", "1")
		}
		if rule.Alarm {
			form.Set(at+"alarm", "1")
		}
	}
	return form
}

// grant gives a permission from a blocked row as the form does and says its id.
func (c *console) grant(event int64, until time.Time) string {
	c.t.Helper()
	tokyo := time.FixedZone("JST", 9*3600)
	form := url.Values{"event": {strconv.FormatInt(event, 10)}, "reason": {"lab"}, "way": {policy.WayHash}, // which only a program's form has
		"from": {time.Now().In(tokyo).Format("2006-01-02 15:04:05")}, "until": {until.In(tokyo).Format("2006-01-02 15:04:05")}}
	location := c.call("POST", "/carryout/new", form)
	id, _, _ := strings.Cut(strings.TrimPrefix(location, "/carryout/"), "?")
	if id == "" {
		c.t.Fatalf("granting went to %q", location)
	}
	return id
}

func (c *console) revoke(grant string) {
	c.call("POST", "/carryout/"+grant+"/revoke", url.Values{})
}

// row waits for the newest record that fits.
func (c *console) row(about string, fits func(store.Event) bool) (found store.Event) {
	c.t.Helper()
	eventually(c.t, 30*time.Second, "the console shows: "+about, func() error {
		rows, err := c.db.Events(c.t.Context(), store.EventFilter{Limit: 200})
		if err != nil {
			return err
		}
		var seen []string
		for _, row := range rows {
			if fits(row) {
				found = row
				return nil
			}
			seen = append(seen, brief(row))
		}
		return fmt.Errorf("rows are %v", seen[:min(len(seen), 20)])
	})
	return found
}

func brief(row store.Event) string {
	r := row.Record
	if r.Event == nil {
		return fmt.Sprintf("#%d %s %s %s", row.Seq, r.Kind, r.Code, r.Note)
	}
	rule := ""
	if r.Decision != nil {
		rule = string(r.Decision.Action) + " by " + r.Decision.Rule
	}
	return fmt.Sprintf("#%d %s %s %v %s: %s → %s", row.Seq, r.Event.What, r.Event.Device.Bus, r.Event.Device.Kinds, r.Event.Device.Serial, rule, r.Outcome)
}

// terminal waits until the only terminal's status fits.
func (c *console) terminal(about string, fits func(store.Terminal) bool) (found store.Terminal) {
	c.t.Helper()
	eventually(c.t, 60*time.Second, "the terminal reports: "+about, func() error {
		list, err := c.db.Terminals(c.t.Context(), "", "")
		if err != nil || len(list) == 0 {
			return fmt.Errorf("no terminal: %v", err)
		}
		if found, err = c.db.Terminal(c.t.Context(), list[0].ID); err != nil {
			return err
		}
		if !fits(found) {
			return fmt.Errorf("it is at revision %d of %d, mode %q, gate %q, faults %v", found.Applied, found.Revision, found.Status.Mode, found.Status.Gate, found.Status.Faults)
		}
		return nil
	})
	return found
}

// noGap holds when the console has every record from the first to the newest.
func (c *console) noGap() {
	c.t.Helper()
	eventually(c.t, 30*time.Second, "every record is there", func() error {
		rows, err := c.db.Events(c.t.Context(), store.EventFilter{Limit: 500})
		if err != nil {
			return err
		}
		seen, highest := map[uint64]bool{}, uint64(0)
		for _, row := range rows {
			seen[uint64(row.Seq)] = true
			highest = max(highest, uint64(row.Seq))
			if !row.ChainOK {
				c.t.Errorf("the chain breaks at %s", brief(row))
			}
		}
		for seq := uint64(1); seq <= highest; seq++ {
			if !seen[seq] {
				c.t.Fatalf("record %d of %d is lost", seq, highest)
			}
		}
		return nil
	})
}

func freePort(t *testing.T) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually looks again until the condition holds; the error of the last look tells why it did not.
func eventually(t *testing.T, within time.Duration, about string, look func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s: %v", within, about, err)
		case <-tick.C:
		}
	}
}
