//go:build lab && linux

package flows

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/argon2"

	"sekisho/console/store"
)

// chromium is where distributions keep it; scripts/test installs Debian's.
const chromium = "/usr/bin/chromium"

// person is somebody at the console's pages, in a real browser.
type person struct {
	t   *testing.T
	url string
	ctx context.Context
}

// signIn opens a browser and signs in through the page.
func (c *console) signIn(name string, role string) *person {
	c.t.Helper()
	now, password := time.Now(), rand.Text()
	must(c.t, c.db.PutAccount(c.t.Context(), store.Account{Name: name, Role: role, Language: "ja", Theme: "auto",
		Hash: hashed(password), CreatedAt: now}, "lab", now))
	alloc, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(chromium), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.IgnoreCertErrors, chromedp.UserDataDir(c.t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("allow-pre-commit-input", true))
	c.t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	c.t.Cleanup(cancel)
	must(c.t, chromedp.Do(ctx)) // starts the browser, which would end with a bounded context
	p := &person{c.t, fmt.Sprintf("https://127.0.0.1:%d", c.people), ctx}
	p.open("/login")
	p.do(chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.SendKeys(chromedp.CSS("#password"), password))
	p.press("button[type=submit]")
	return p
}

// hashed is a password as the console keeps it: argon2id in the usual text form, cheaper than the console's own.
func hashed(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=1024,t=1,p=1$%s$%s", argon2.Version, b64(salt), b64(argon2.IDKey([]byte(password), salt, 1, 1024, 1, 32)))
}

// patience is how long one act may take; a person would have turned away long before.
const patience = time.Minute

// bounded runs one act. A browser that does not answer is a fault with a name, not a test that never ends.
func (p *person) bounded(what string, act func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := act(ctx); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.bounded("at the page", func(ctx context.Context) error { return chromedp.Do(ctx, steps...) })
}

func (p *person) open(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.url + path))
}

// press clicks what leads to another page and waits for it to have loaded. A browser drops what is clicked before it has
// painted the page, so two frames are waited for; a person would also press again when a page did not hear the first time.
func (p *person) press(selector string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](ready, chromedp.EvalAwaitPromise), chromedp.Click(chromedp.CSS(selector)))
	pressed := time.Now()
	eventually(p.t, patience, "another page after pressing "+selector, func() error {
		ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
		defer cancel()
		state, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.readyState + (window.pressed === undefined ? '' : ', the old one, pressed ' + window.pressed)"))
		switch {
		case err != nil:
			return err // a page that goes while it is asked does not answer
		case state == "complete":
			return nil
		case strings.HasSuffix(state, "pressed 0") && time.Since(pressed) > 2*time.Second:
			pressed = time.Now()
			p.do(chromedp.Click(chromedp.CSS(selector)))
		}
		return errors.New("the page is " + state)
	})
}

// ready waits until the page is painted, and counts what it hears of clicks.
const ready = `window.pressed = 0; addEventListener("click", () => window.pressed++, {capture: true});
new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(undefined))))`

func (p *person) address() (at string) {
	p.t.Helper()
	p.bounded("asking for the address", func(ctx context.Context) (err error) {
		at, err = chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname"))
		return err
	})
	return at
}

// reads waits until the page, which renews itself, says something.
func (p *person) reads(text string) {
	p.t.Helper()
	eventually(p.t, 30*time.Second, "the open page says "+text, func() error {
		ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
		defer cancel()
		body, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		if err == nil && !strings.Contains(body, text) {
			err = fmt.Errorf("it says %q", body)
		}
		return err
	})
}

// permit gives a permission from the page of a blocked row and says its id.
func (p *person) permit(event int64) string {
	p.t.Helper()
	p.open(fmt.Sprintf("/violations/%d", event))
	p.press("a[href^='/carryout/new']")
	p.do(chromedp.SendKeys(chromedp.CSS("#reason"), "住民説明会の資料"))
	p.press(".s-form-acts button[type=submit]")
	return strings.TrimPrefix(p.address(), "/carryout/")
}
