//go:build lab && linux

package flows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"sekisho/internal/policy"
)

// asks evaluates an expression on the page that gives a text.
func (p *person) asks(expression string) (string, error) {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string](expression))
}

// wordsOfMatrix gives by check what the first terminal's row of the matrix says.
const wordsOfMatrix = `JSON.stringify(Object.fromEntries([...document.querySelectorAll(".s-matrix tbody td.m a")].map(
	a => [decodeURIComponent(a.hash.slice(1)), a.querySelector("span").firstChild.textContent])))`

// sees waits until the matrix says what is wanted, looking again as a person would.
func (p *person) sees(within time.Duration, about string, want map[string]string) {
	p.t.Helper()
	eventually(p.t, within, about, func() error {
		p.open("/health?area=all")
		text, err := p.asks(wordsOfMatrix)
		if err != nil {
			return err
		}
		var have map[string]string
		if err := json.Unmarshal([]byte(text), &have); err != nil {
			return err
		}
		return differs(have, want)
	})
}

// line is one check on the sheet of a terminal, as a person reads it.
type line struct{ Result, Read, Wanted, Todo string }

// wordsOfSheet gives the lines of a sheet by check.
const wordsOfSheet = `JSON.stringify(Object.fromEntries([...document.querySelectorAll(".s-sheet tbody tr")].map(
	r => { const [result, read, wanted, todo] = [...r.querySelectorAll("td")].map(c => c.innerText); return [r.id, {result, read, wanted, todo}] })))`

func (p *person) sheet(terminal string) (lines map[string]line) {
	p.t.Helper()
	p.open("/terminals/" + terminal + "/health")
	text, err := p.asks(wordsOfSheet)
	must(p.t, err)
	must(p.t, json.Unmarshal([]byte(text), &lines))
	return lines
}

// explains holds when the sheet says of every broken check what was read, what is to be done, and how far it has come: what
// opens the network is a violation at once, the rest begins as a notice.
func (p *person) explains(terminal string) {
	p.t.Helper()
	lines := p.sheet(terminal)
	for _, c := range switches() {
		have := lines[c.check]
		info, _ := policy.CheckOf(c.check)
		stage := map[bool]string{true: "違反", false: "注意"}[info.Area == policy.AreaNetwork]
		if !strings.Contains(have.Result, stage) || !strings.Contains(have.Read, c.says) || !strings.Contains(have.Todo, info.Todo.JA) {
			p.t.Errorf("%s: the sheet says %+v, and not %q, %q and %q", c.check, have, stage, c.says, info.Todo.JA)
		}
	}
	p.keep("2-broken-sheet")
}

// stage waits until the failure of a check has come to one of these stages.
func (p *person) stage(terminal, check string, words ...string) {
	p.t.Helper()
	eventually(p.t, 3*time.Minute, fmt.Sprintf("%s comes to the stage %v", check, words), func() error {
		have := p.sheet(terminal)[check]
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(have.Result, w) }) {
			return nil
		}
		return fmt.Errorf("the sheet says %+v", have)
	})
}

// waive enters a waiver for a check of a terminal, and waits until the terminal says so itself.
func (p *person) waive(terminal, check string) {
	p.t.Helper()
	p.open("/policy/default/health/waivers?check=" + check + "&terminal=" + terminal)
	for field, text := range map[string]string{"until": time.Now().AddDate(0, 0, 30).Format("2006-01-02"), "reason": "機器の更改まで", "measure": "持ち出さない", "approver": "情報課長"} {
		p.do(chromedp.SendKeys(chromedp.CSS("#"+field), text))
	}
	p.press(`form[action$="/waivers"] button[type=submit]`)
	if at := p.address(); at != "/policy/default/health/waivers" {
		p.t.Fatalf("entering the waiver led to %s", at)
	}
	eventually(p.t, time.Minute, "the terminal's sheet shows the waiver", func() error {
		have := p.sheet(terminal)[check]
		if !strings.Contains(have.Todo, "W-0001") || !strings.Contains(have.Todo, "情報課長") {
			return fmt.Errorf("the sheet says %+v", have)
		}
		if strings.Contains(have.Todo, "端末にはまだ届いていません") {
			return errors.New("the terminal does not know of it yet")
		}
		return nil
	})
}

// unwaive ends the only waiver.
func (p *person) unwaive() {
	p.t.Helper()
	p.open("/policy/default/health/waivers")
	p.press(`form[action$="/waivers/end"] button[type=submit]`)
}

// keepSheet keeps a picture of a terminal's sheet.
func (p *person) keepSheet(terminal, name string) {
	p.t.Helper()
	p.open("/terminals/" + terminal + "/health")
	p.keep(name)
}

// keep keeps a picture of the page where SEKISHO_SCREENS names a folder.
func (p *person) keep(name string) {
	p.t.Helper()
	folder := os.Getenv("SEKISHO_SCREENS")
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	must(p.t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)))
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	must(p.t, err)
	must(p.t, os.MkdirAll(folder, 0o755))
	must(p.t, os.WriteFile(filepath.Join(folder, "lab-"+name+".png"), png, 0o644))
}
