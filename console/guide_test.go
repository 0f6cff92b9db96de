//go:build browser

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/png"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sekisho/console/agentapi"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
	"sekisho/scripts/load"
)

// The pages of docs/install.{ja,en}.md, pressed in the order of the guide, with ten terminals that speak the real protocol.
// SEKISHO_PICTURES names a folder that keeps the guide's pictures; then the console has its usual ports.
// Run with the tag browser, after scripts/assets; scripts/pictures does.

// office is what the guide's example office is called.
const office = "sekisho.example.lan"

func TestTheInstallationGuideFromNothingToTenTerminals(t *testing.T) {
	for _, lang := range []string{"ja", "en"} {
		t.Run(lang, func(t *testing.T) { follow(t, lang) })
	}
}

// reader follows the guide in one language.
type reader struct {
	t     *testing.T
	lang  string
	state string
	ports [2]string // people, terminals
	ctx   context.Context
}

func follow(t *testing.T, lang string) {
	r := &reader{t: t, lang: lang, state: filepath.Join(t.TempDir(), "state")}
	link := r.setUp()
	r.openBrowser()
	r.firstAdministrator(link)
	first := r.code("KT-0101", "1", "1")
	terminals := []*load.Terminal{r.enrol(first, "KT-0101")}
	rollout := r.code(r.say("総務課 一斉導入", "General affairs, roll-out"), "9", "7")
	r.picture("code")
	for i := 2; i <= 10; i++ {
		terminals = append(terminals, r.enrol(rollout, fmt.Sprintf("KT-01%02d", i)))
	}
	if _, err := load.Enrol(t.Context(), r.url(1), r.fingerprint(), rollout, "KT-0111"); err == nil {
		t.Error("an eleventh terminal came in")
	}
	r.open("/tokens/2")
	r.reads("KT-0102", "KT-0110")
	for i, one := range terminals {
		r.report(one, i, policy.ModeAudit)
	}
	r.open("/terminals")
	r.reads("KT-0101", "KT-0110")
	r.picture("terminals")
	r.warn()
}

// say is a text in the guide's language.
func (r *reader) say(ja, en string) string {
	if r.lang == "en" {
		return en
	}
	return ja
}

// setUp is section 2 of the guide: one command, then the console runs.
func (r *reader) setUp() (link string) {
	r.t.Helper()
	r.ports = [2]string{"8443", "8444"}
	if os.Getenv("SEKISHO_PICTURES") == "" {
		for i := range r.ports {
			_, r.ports[i], _ = net.SplitHostPort(freePort(r.t))
		}
	}
	if err := os.Mkdir(r.state, 0o700); err != nil {
		r.t.Fatal(err)
	}
	configure(r.t, r.state, "people: \":"+r.ports[0]+"\"\nterminals: \":"+r.ports[1]+"\"\n")
	code, out, errs := words(r.t, "setup", "--state", r.state, "--name", office, "--contact", r.say("総務課 情報係", "General affairs, IT"), "--phone", r.say("内線 2300", "ext. 2300"), "--yes")
	if code != exitOK {
		r.t.Fatal(errs)
	}
	ctx, stop := context.WithCancel(context.Background())
	said, ended := lines{make(chan string, 1000)}, make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--state", r.state}, strings.NewReader(""), said, io.Discard)
	}()
	r.t.Cleanup(func() { stop(); <-ended })
	select {
	case <-said.to: // it listens
	case code := <-ended:
		r.t.Fatalf("the console ended with %d", code)
	}
	link, _, _ = strings.Cut(out, "\n")
	if !strings.HasPrefix(link, "https://"+office+":"+r.ports[0]+setupPath) {
		r.t.Fatalf("setup says %q", out)
	}
	return link
}

func (r *reader) url(port int) string { return "https://127.0.0.1:" + r.ports[port] }

func (r *reader) fingerprint() string {
	ca, err := agentapi.OpenCA(r.state, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return ca.Fingerprint()
}

func (r *reader) openBrowser() {
	r.t.Helper()
	if _, err := os.Stat("/usr/bin/chromium"); err != nil {
		r.t.Fatal("chromium is missing; on Debian: apt-get install chromium fonts-noto-cjk")
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.IgnoreCertErrors, chromedp.UserDataDir(r.t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("host-resolver-rules", "MAP "+office+" 127.0.0.1"), chromedp.Flag("accept-lang", r.lang), chromedp.Flag("lang", r.lang),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true))
	r.t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	r.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which would end with a bounded context
		r.t.Fatal(err)
	}
	r.ctx = ctx
	r.do(chromedp.EmulateViewport(1100, 860))
}

func (r *reader) do(steps ...chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) open(path string) {
	r.t.Helper()
	r.do(chromedp.Navigate("https://" + office + ":" + r.ports[0] + path))
}

func (r *reader) press(selector string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		r.t.Fatalf("pressing %s: %v", selector, err)
	}
}

func (r *reader) text() string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func (r *reader) reads(words ...string) {
	r.t.Helper()
	text := r.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			r.t.Errorf("the page does not say %q: %s", w, text)
		}
	}
}

func (r *reader) firstAdministrator(link string) {
	r.t.Helper()
	r.do(chromedp.Navigate(link + "?lang=" + r.lang))
	r.do(chromedp.SendKeys(chromedp.CSS("#name"), "1007"))
	r.picture("first-administrator")
	for _, field := range []string{"#password", "#again"} {
		r.do(chromedp.SendKeys(chromedp.CSS(field), "a long and quiet afternoon"))
	}
	r.press("button[type=submit]")
	r.open("/?lang=" + r.lang)
}

var codeInLine = regexp.MustCompile(`--token ([0-9A-Z-]{19})`)

// code issues an enrolment code as the guide says, and reads it from the line for Linux.
func (r *reader) code(note, uses, days string) string {
	r.t.Helper()
	r.open("/tokens")
	fill := func(id, value string) string {
		return fmt.Sprintf("document.getElementById(%q).value = %q;", id, value)
	}
	r.do(chromedp.Evaluate[chromedp.Void](fill("note", note) + fill("uses", uses) + fill("days", days) + "undefined"))
	r.press(".s-form-acts button[type=submit]")
	r.reads("msiexec /i sekisho-agent_", "SERVER=https://"+office+":"+r.ports[1], `HKLM\SOFTWARE\Policies\Sekisho`, r.fingerprint())
	found := codeInLine.FindStringSubmatch(r.text())
	if found == nil {
		r.t.Fatalf("no code: %s", r.text())
	}
	return found[1]
}

func (r *reader) enrol(code, name string) *load.Terminal {
	r.t.Helper()
	one, err := load.Enrol(r.t.Context(), r.url(1), r.fingerprint(), code, name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(one.Close)
	return one
}

// report is what an agent says after it has connected.
func (r *reader) report(one *load.Terminal, i int, mode policy.Mode) {
	r.t.Helper()
	os := "Windows 11 Pro"
	if i == 0 {
		os = "Debian GNU/Linux 12"
	}
	err := one.Report(r.t.Context(), wire.Status{At: time.Now(), Agent: version, OS: os, Revision: 1, Mode: string(mode), Gate: "open", User: fmt.Sprint(1040 + i)})
	if err != nil {
		r.t.Fatal(err)
	}
}

// warn is the step from record only to warn.
func (r *reader) warn() {
	r.t.Helper()
	r.open("/policy/default/edit")
	r.do(chromedp.Click(chromedp.CSS("input[name=mode][value=warn]")), chromedp.SendKeys(chromedp.CSS("#reason"),
		r.say("記録のみの2週間で、業務に要る媒体がないことを確かめた", "Two weeks of record only: no medium that the work needs")))
	r.press("button[name=do][value=check]:not(.s-vh)")
	r.picture("warn")
	r.press("button[name=do][value=publish]")
	r.open("/policy/default")
	r.reads(r.say("警告", "Warn"))
}

// picture keeps what the window shows, in at most 255 colours: it goes into a repository.
func (r *reader) picture(name string) {
	r.t.Helper()
	folder := os.Getenv("SEKISHO_PICTURES")
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		r.t.Fatal(err)
	}
	small, err := fewColours(raw)
	if err == nil {
		err = errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, name+"."+r.lang+".png"), small, 0o644))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	const most = 150_000
	if len(small) > most {
		r.t.Errorf("%s has %d bytes", name, len(small))
	}
}

// fewColours takes the 216 colours that occur most, and for every other one its nearest.
func fewColours(raw []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	count := map[color.RGBA]int{}
	area := full.Bounds()
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)]++
		}
	}
	few := image.NewPaletted(area, mostOf(count))
	nearest := map[color.RGBA]uint8{}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			c := color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)
			n, known := nearest[c]
			if !known {
				n = uint8(few.Palette.Index(c))
				nearest[c] = n
			}
			few.SetColorIndex(x, y, n)
		}
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few)
	return out.Bytes(), err
}

// mostOf is a palette of what occurs most; the even one of the web fills it up.
func mostOf(count map[color.RGBA]int) color.Palette {
	var chosen color.Palette
	for len(chosen) < 216 && len(count) > 0 {
		var best color.RGBA
		for c, n := range count {
			if n > count[best] || n == count[best] && less(c, best) {
				best = c
			}
		}
		chosen = append(chosen, best)
		delete(count, best)
	}
	return append(chosen, palette.WebSafe[:256-len(chosen)]...)
}

// less makes the choice between equals the same every time.
func less(a, b color.RGBA) bool {
	return [3]uint8{a.R, a.G, a.B} != [3]uint8{b.R, b.G, b.B} && (a.R < b.R || a.R == b.R && (a.G < b.G || a.G == b.G && a.B < b.B))
}
