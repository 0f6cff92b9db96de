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
	"slices"
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

// axe says what the page does to people who use it otherwise. What it would fetch again for a rule about the style sheet, and
// the paths to the places that it found nothing wrong with, are left out: they take half of its time.
func (w *window) axe(page string) {
	w.t.Helper()
	w.do(discard(axeScript(w.t)))
	raw := ask[string](w, `axe.run(document, {resultTypes: ["violations"], preload: false, selectors: false}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 160) + " " + (n.any[0] ? n.any[0].message : ""))}))))`)
	var found []finding
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		w.t.Fatal(err)
	}
	for _, f := range found {
		w.t.Errorf("%s: axe: %s: %s: %q", page, f.ID, f.Help, f.Nodes)
	}
}

// pale finds letters that stand out too little from what is behind them (WCAG 2.2, 1.4.3). It knows what these pages have, plain
// grounds one over the other, and so it needs a twentieth of the time that axe takes: every look of every page is judged.
// https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
const pale = `(() => {
	document.getAnimations().forEach(a => a.finish());
	const pen = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true}), colors = new Map(); // it reads oklab() and the like
	const rgb = text => {
		if (!colors.has(text)) {
			pen.clearRect(0, 0, 1, 1);
			pen.fillStyle = text;
			pen.fillRect(0, 0, 1, 1);
			const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
			colors.set(text, [r, g, b, a / 255]);
		}
		return [...colors.get(text)];
	};
	const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const light = color => { const [r, g, b] = color.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const grounds = new Map([[null, [255, 255, 255, 1]]]), found = [];
	const ground = e => {
		if (!grounds.has(e)) grounds.set(e, over(rgb(getComputedStyle(e).backgroundColor), ground(e.parentElement)));
		return grounds.get(e);
	};
	const shown = e => { let all = 1; for (; e; e = e.parentElement) all *= getComputedStyle(e).opacity; return all; };
	const written = new Set([...document.querySelectorAll("input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, textarea")]);
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) if (walk.currentNode.data.trim()) written.add(walk.currentNode.parentElement);
	for (const e of written) {
		if (!e.checkVisibility({visibilityProperty: true}) || e.closest(":disabled, [aria-disabled=true], option, .s-vh")) continue;
		const style = getComputedStyle(e), below = ground(e), ink = rgb(e instanceof SVGElement ? style.fill : style.color);
		ink[3] *= shown(e);
		const [a, b] = [light(over(ink, below)), light(below)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
		if (ratio < (size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5)) found.push(ratio.toFixed(2) + " " + e.outerHTML.slice(0, 160));
	}
	return found;
})()`

func (w *window) contrast(page string) {
	w.t.Helper()
	for _, one := range ask[[]string](w, pale) {
		w.t.Errorf("%s: letters stand out too little: %s", page, one)
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

// covered finds a state that is written over what stands beside it; what goes on over several lines is looked at line by line.
const covered = `[...document.querySelectorAll(".s-status")].filter(e => {
	const next = e.nextElementSibling;
	if (!next || !e.checkVisibility() || !next.checkVisibility()) return false;
	const word = document.createRange();
	word.selectNodeContents(e);
	const meet = (a, b) => a.left < b.right - 2 && b.left < a.right - 2 && a.top < b.bottom - 2 && b.top < a.bottom - 2;
	return [...word.getClientRects()].some(a => [...next.getClientRects()].some(b => meet(a, b)));
}).map(e => e.parentElement.textContent.trim().slice(0, 80))`

// glance asks in one turn what contrast, fits and covered ask: there are thousands of looks.
func (w *window) glance(page, first string, width int) {
	w.t.Helper()
	seen := ask[struct {
		Pale, Covered []string
		Width         int
	}](w, first+`; ({Pale: `+pale+`, Covered: `+covered+`, Width: document.documentElement.scrollWidth})`)
	for _, one := range seen.Pale {
		w.t.Errorf("%s: letters stand out too little: %s", page, one)
	}
	if seen.Width > width {
		w.t.Errorf("%s is %d wide on a screen of %d", page, seen.Width, width)
	}
	for _, one := range seen.Covered {
		w.t.Errorf("%s: words stand over one another: %s", page, one)
	}
}

// sights are a page's four looks in one language: each theme at each width.
var sights = []struct {
	theme string
	width int64
}{{"light", 1280}, {"dark", 1280}, {"dark", 390}, {"light", 390}}

// looks opens a page and judges it in each theme at each width: it fits, its letters can be read, the browser does not complain.
// What else there is to say of it does not change with the theme: thorough says in which looks that is asked.
func (w *window) looks(address, lang string, thorough ...int) {
	w.t.Helper()
	w.do(chromedp.EmulateViewport(sights[0].width, 900))
	w.open(address)
	w.judge(address, lang, thorough...)
}

// judge is looks for the page that is open.
func (w *window) judge(address, lang string, thorough ...int) {
	w.t.Helper()
	for i, sight := range sights {
		page := fmt.Sprintf("%s %s %s %d", address, lang, sight.theme, sight.width)
		if i > 0 && sight.width != sights[i-1].width {
			w.do(chromedp.EmulateViewport(sight.width, 900))
		}
		theme := `document.documentElement.setAttribute("data-bs-theme", "` + sight.theme + `")`
		if slices.Contains(thorough, i) {
			w.do(discard(theme))
			w.axe(page)
		}
		w.glance(page, theme, int(sight.width))
		w.keep(fmt.Sprintf("%s-%s-%s-%d", fileName.Replace(address), lang, sight.theme, sight.width))
		w.silent(page)
	}
}

// Every page is judged in both languages, both themes and both widths. axe looks at each once, and at one of each kind in the
// other language, dark and narrow.
func TestEveryPageIsAccessibleAndFitsInBothLanguagesAndThemes(t *testing.T) {
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, bundledAssets(t))
			f := s.full()
			w := openWindow(t, s)
			w.open("/login?lang=" + lang)
			w.axe("/login")
			w.keep("login-1280-" + lang)
			w.signIn("1007")
			w.look(lang, "auto")
			kinds := map[string]bool{}
			for _, address := range f.addresses() {
				kind := w.kind(address)
				switch {
				case lang == languages[0]:
					w.looks(address, lang, 0)
				case !kinds[kind]:
					w.looks(address, lang, 2)
				default:
					w.looks(address, lang)
				}
				kinds[kind] = true
			}
		})
	}
}

// kind is the name of the page that stands at an address.
func (w *window) kind(address string) string {
	w.t.Helper()
	return ask[string](w, `fetch("`+address+`", {headers: {Accept: "application/json"}}).then(a => a.json()).then(p => p.page)`)
}

func TestTheFirstDayIsAccessibleAndFits(t *testing.T) {
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := openWindow(t, newSite(t, bundledAssets(t)))
			w.signIn("1007")
			w.look(lang, "auto")
			for _, address := range emptyAddresses {
				if lang == languages[0] {
					w.looks(address, "empty-"+lang, 3)
				} else {
					w.looks(address, "empty-"+lang)
				}
			}
		})
	}
}

func TestLettersThatCannotBeReadAreFound(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	w := openWindow(t, s)
	w.signIn("1007")
	w.open("/account")
	for what, change := range map[string]string{
		"the color of the ground": `h1.style.color = "#f6f7f9"`, "half seen": `h1.style.opacity = 0.5; h1.style.color = "#555"`,
		"a dark ground": `h1.style.background = "#222"`, "below a veil": `h1.parentElement.style.background = "rgb(0 0 0 / 70%)"`,
	} {
		w.do(discard(`{const h1 = document.querySelector("h1"); ` + change + `}`))
		if found := ask[[]string](w, pale); len(found) == 0 || !strings.Contains(found[0], "<h1") {
			t.Errorf("%s is not found: %q", what, found)
		}
		w.do(discard(`{const h1 = document.querySelector("h1"); h1.removeAttribute("style"); h1.parentElement.removeAttribute("style")}`))
		w.contrast("without " + what)
	}
}

// discard runs a script for what it leaves behind.
func discard(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](script + "\n;undefined")
}
