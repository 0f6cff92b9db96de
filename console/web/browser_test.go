//go:build browser

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Run with the tag browser, after scripts/assets. SEKISHO_SCREENS names a folder that keeps a picture of every page.

// window is one Chromium with what it complained about.
type window struct {
	t    *testing.T
	s    *site
	ctx  context.Context
	mu   sync.Mutex
	says []string // console errors, refused content; owned by mu
}

func openWindow(t *testing.T, s *site) *window {
	t.Helper()
	chrome, err := findChromium()
	if err != nil {
		t.Fatal(err)
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(chrome), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.IgnoreCertErrors, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "ja"), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("allow-pre-commit-input", true))
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	w := &window{t: t, s: s, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which would end with a bounded context
		t.Fatal(err)
	}
	w.do(chromedp.Navigate("about:blank"), chromedp.EmulateViewport(1280, 900))
	if err := chromedp.Listen(ctx, w.hear); err != nil {
		t.Fatal(err)
	}
	return w
}

func findChromium() (string, error) {
	for _, p := range []string{"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"} {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("chromium is missing; on Debian: apt-get install chromium fonts-noto-cjk")
}

// hear collects scripts' errors and everything that the content policy refused.
func (w *window) hear(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		w.says = append(w.says, fmt.Sprint(ev.ExceptionDetails.Text, " ", ev.ExceptionDetails.URL))
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError && !strings.Contains(ev.Entry.Text, "status of 4") {
			w.says = append(w.says, ev.Entry.Text+" "+ev.Entry.URL)
		}
	}
}

func (w *window) silent(page string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.says {
		w.t.Errorf("%s: the browser complains: %s", page, one)
	}
	w.says = nil
}

// patience is how long one act may take: a browser that does not answer is a fault with a name, not a test that never ends.
const patience = time.Minute

func (w *window) bounded(what string, act func(context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := act(ctx); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	w.bounded("at the page", func(ctx context.Context) error { return chromedp.Do(ctx, steps...) })
}

func ask[T any](w *window, expression string) (v T) {
	w.t.Helper()
	w.bounded(expression, func(ctx context.Context) (err error) {
		v, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		return err
	})
	return v
}

// until waits for an expression to become true; the page itself is asked, no time is guessed.
func (w *window) until(what, expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 15*time.Second)
	defer cancel()
	poll := fmt.Sprintf(`new Promise(done => { const look = () => (%s) ? done(true) : setTimeout(look, 50); look(); })`, expression)
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](poll, chromedp.EvalAwaitPromise)); err != nil {
		w.t.Fatalf("waiting until %s: %v", what, err)
	}
}

func (w *window) open(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(w.s.URL + path))
}

func (w *window) signIn(name string) {
	w.t.Helper()
	w.open("/login")
	w.do(chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.SendKeys(chromedp.CSS("#password"), password))
	w.press("button[type=submit]")
}

// press clicks what leads to another page and waits for it to have loaded. A browser drops what is clicked before it has
// painted the page, so two frames are waited for; a page that goes while it is asked does not answer.
func (w *window) press(selector string) {
	w.t.Helper()
	w.do(discard("window.left = true"), chromedp.Evaluate[chromedp.Void](painted, chromedp.EvalAwaitPromise), chromedp.Click(chromedp.CSS(selector)))
	w.bounded("another page after pressing "+selector, func(ctx context.Context) error {
		for {
			there, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!window.left && document.readyState === 'complete'"))
			if err == nil && there || ctx.Err() != nil {
				return ctx.Err()
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
}

const painted = `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(undefined))))`

func (w *window) look(lang, theme string) {
	w.t.Helper()
	b := w.s.as("1007")
	b.post("/account/look", url.Values{"language": {lang}, "theme": {theme}})
	w.open("/account?lang=" + lang)
}

type finding struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// axe says what the page does to people who use it otherwise.
func (w *window) axe(page string) { w.t.Helper(); w.axeOf(page, `{resultTypes: ["violations"]}`) }

// contrast is the part of it that another theme changes, in a third of the time.
func (w *window) contrast(page string) {
	w.t.Helper()
	w.axeOf(page, `{resultTypes: ["violations"], runOnly: ["color-contrast"]}`)
}

func (w *window) axeOf(page, options string) {
	w.t.Helper()
	w.do(discard(axeScript(w.t)))
	raw := ask[string](w, `axe.run(document, `+options+`).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 160) + " " + (n.any[0] ? n.any[0].message : ""))}))))`)
	var found []finding
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		w.t.Fatal(err)
	}
	for _, f := range found {
		w.t.Errorf("%s: axe: %s: %s: %q", page, f.ID, f.Help, f.Nodes)
	}
}

var axeOnce = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("assets/node_modules/axe-core/axe.min.js") })

func axeScript(t *testing.T) string {
	b, err := axeOnce()
	if err != nil {
		t.Fatalf("%v; run scripts/assets", err)
	}
	return string(b)
}

func bundledAssets(t *testing.T) *Options {
	files, err := fs.Sub(bundled, "dist")
	if err != nil {
		t.Fatal(err)
	}
	return &Options{Assets: files}
}

// fits says that nothing pushes the page wider than the screen.
func (w *window) fits(page string, width int) {
	w.t.Helper()
	if got := ask[int](w, `document.documentElement.scrollWidth`); got > width {
		w.t.Errorf("%s is %d wide on a screen of %d", page, got, width)
	}
}

func (w *window) keep(name string) {
	folder := os.Getenv("SEKISHO_SCREENS")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

var fileName = strings.NewReplacer("/", "_", "?", "-", "=", "-", "&", "-")

// Every page has to fit in five looks without a complaint of the browser. The rules are judged at each width and in each
// language, contrast in each theme at each width; that again for every look would only take twice as long.
func TestEveryPageIsAccessibleAndFitsInBothLanguagesAndThemes(t *testing.T) {
	s := newSite(t, bundledAssets(t))
	f := s.full()
	w := openWindow(t, s)
	w.open("/login")
	w.axe("/login")
	w.keep("login-1280")
	w.signIn("1007")
	plain := func(string) {}
	for _, look := range []struct {
		lang, theme string
		width       int
		judge       func(page string)
	}{{"ja", "light", 1280, w.axe}, {"ja", "light", 390, w.contrast}, {"ja", "dark", 1280, w.contrast}, {"en", "light", 1280, plain}, {"en", "dark", 390, w.axe}} {
		w.look(look.lang, look.theme)
		w.do(chromedp.EmulateViewport(int64(look.width), 900))
		for _, address := range f.addresses() {
			page := fmt.Sprintf("%s %s %s %d", address, look.lang, look.theme, look.width)
			w.open(address)
			look.judge(page)
			w.fits(page, look.width)
			w.keep(fmt.Sprintf("%s-%s-%s-%d", fileName.Replace(address), look.lang, look.theme, look.width))
			w.silent(page)
		}
	}
}

func TestTheFirstDayIsAccessibleAndFits(t *testing.T) {
	s := newSite(t, bundledAssets(t))
	w := openWindow(t, s)
	w.signIn("1007")
	for _, width := range []int{1280, 390} {
		w.do(chromedp.EmulateViewport(int64(width), 900))
		for _, address := range emptyAddresses {
			w.open(address)
			w.axe("empty " + address)
			w.fits("empty "+address, width)
			w.keep(fmt.Sprintf("empty%s-%d", fileName.Replace(address), width))
			w.silent(address)
		}
	}
}

// discard runs a script for what it leaves behind.
func discard(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](script + "\n;undefined")
}
