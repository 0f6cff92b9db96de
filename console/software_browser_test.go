//go:build browser

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/argon2"

	"sekisho/console/agentapi"
	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
	"sekisho/scripts/load"
)

// walk is an administrator at a real console's pages, in a real browser. SEKISHO_SCREENS names a folder that keeps pictures.
type walk struct {
	t    *testing.T
	url  string
	lang string
	db   *store.DB
	ctx  context.Context

	fingerprint string // of the console's CA
}

// patience is how long one act may take: a browser that does not answer is a fault with a name, not a test that never ends.
const patience = time.Minute

// stroll serves a console and signs an administrator in through its page.
func stroll(t *testing.T, lang string) (w *walk, agents string) {
	t.Helper()
	dir, people, terminals := state(t), freePort(t), freePort(t)
	configure(t, dir, "people: "+people+"\nterminals: "+terminals+"\nnames: [127.0.0.1]\n")
	ctx, stop := context.WithCancel(context.Background())
	out, ended := lines{make(chan string, 100)}, make(chan int, 1)
	go func() { ended <- run(ctx, []string{"serve", "--state", dir}, strings.NewReader(""), out, out) }()
	t.Cleanup(func() { stop(); <-ended })
	<-out.to
	db, err := store.Open(t.Context(), filepath.Join(dir, "console.db"), time.UTC)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	w = &walk{t: t, url: "https://" + people, lang: lang, db: db, ctx: chromium(t)}
	ca, err := agentapi.OpenCA(dir, time.Now())
	must(t, err)
	w.fingerprint = ca.Fingerprint()
	password := rand.Text()
	must(t, db.PutAccount(t.Context(), store.Account{Name: "1007", Role: store.RoleAdmin, Language: lang, Theme: "auto", Hash: hashed(password), CreatedAt: time.Now()}, "test", time.Now()))
	w.open("/login")
	w.write("#name", "1007")
	w.write("#password", password)
	w.press("button[type=submit]")
	return w, "https://" + terminals
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hashed(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=1024,t=1,p=1$%s$%s", argon2.Version, b64(salt), b64(argon2.IDKey([]byte(password), salt, 1, 1024, 1, 32)))
}

func chromium(t *testing.T) context.Context {
	t.Helper()
	alloc, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.IgnoreCertErrors, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("allow-pre-commit-input", true))
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	must(t, chromedp.Do(ctx)) // starts the browser, which would end with a bounded context
	must(t, chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.EmulateViewport(1280, 900)))
	return ctx
}

func (w *walk) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	must(w.t, chromedp.Do(ctx, steps...))
}

func (w *walk) open(path string) { w.t.Helper(); w.do(chromedp.Navigate(w.url + path)) }

func (w *walk) write(selector, text string) {
	w.t.Helper()
	w.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// script changes a field that has no keys: a choice, a tick.
func (w *walk) script(js string) {
	w.t.Helper()
	w.do(chromedp.Evaluate[chromedp.Void](js + "\n;undefined"))
}

// press clicks what leads to another page and waits for it to have loaded.
func (w *walk) press(selector string) {
	w.t.Helper()
	w.do(chromedp.Evaluate[chromedp.Void]("window.left = true\n;undefined"),
		chromedp.Evaluate[chromedp.Void](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(undefined))))`, chromedp.EvalAwaitPromise),
		chromedp.Click(chromedp.CSS(selector)))
	w.until("another page after pressing "+selector, "!window.left && document.readyState === 'complete'")
}

func (w *walk) until(what, expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	for {
		there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && there {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			w.t.Fatalf("waiting until %s: %v: %s", what, err, w.text())
		}
	}
}

func (w *walk) text() string {
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname + '\\n' + document.body.innerText"))
	return text
}

// reads waits until the page says all of the words; of two, one for each language.
func (w *walk) reads(ja, en string) {
	w.t.Helper()
	text := ja
	if w.lang == "en" {
		text = en
	}
	quoted, _ := json.Marshal(text)
	w.until("the page says "+text, "document.body.innerText.includes("+string(quoted)+")")
}

func (w *walk) keep(name string) {
	folder := os.Getenv("SEKISHO_SCREENS")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	must(w.t, err)
	must(w.t, os.MkdirAll(folder, 0o755))
	must(w.t, os.WriteFile(filepath.Join(folder, "walk-"+name+"-"+w.lang+".png"), png, 0o644))
}

// pc is a simulated terminal that speaks the real protocol.
type pc struct {
	*load.Terminal
	t    *testing.T
	seq  uint64
	prev wire.Hash
}

func (w *walk) pc(agents, name string) *pc {
	w.t.Helper()
	code := rand.Text()
	must(w.t, w.db.PutToken(w.t.Context(), store.Token{Hash: sha256.Sum256([]byte(code)), Group: firstGroup, By: "test", ExpiresAt: time.Now().Add(time.Hour)}, time.Now()))
	terminal, err := load.Enrol(w.t.Context(), agents, w.fingerprint, code, name)
	must(w.t, err)
	w.t.Cleanup(terminal.Close)
	return &pc{Terminal: terminal, t: w.t}
}

// has sends the whole list of the terminal's software.
func (p *pc) has(programs ...policy.Program) {
	p.t.Helper()
	sh := wire.Sheet{Name: wire.SheetSoftware}
	for _, prog := range programs {
		body, err := json.Marshal(prog)
		must(p.t, err)
		sh.Set = append(sh.Set, wire.Item{ID: prog.ID, Body: body})
		sh.To = sh.To.Mix(sh.Set[len(sh.Set)-1])
	}
	p.post(wire.EventsRequest{Version: wire.Version, Sheets: []wire.Sheet{sh}})
}

// saw sends a record of a program, judged by the control that is in force.
func (p *pc) saw(what string, prog policy.Program, control *policy.Software, o policy.Outcome) {
	p.t.Helper()
	now := time.Now()
	d := policy.DecideProgram(&policy.Policy{Software: control, Clauses: policy.DefaultClauses()}, prog, now)
	body, err := json.Marshal(wire.Record{Kind: wire.RecordProgram, At: now, Decision: &d, Outcome: o,
		Software: &policy.ProgramEvent{What: what, Program: prog, SeenAt: now, User: "1042"}})
	must(p.t, err)
	req := wire.EventsRequest{Version: wire.Version, Outbox: "outbox-" + p.ID, First: p.seq + 1, Prev: p.prev}
	p.seq++
	p.prev = wire.Chain(p.prev, p.seq, body)
	req.Entries = []wire.Entry{{Hash: p.prev, Body: body}}
	p.post(req)
}

func (p *pc) post(req wire.EventsRequest) {
	p.t.Helper()
	body, err := json.Marshal(req)
	must(p.t, err)
	_, err = p.Send(p.t.Context(), load.Batch{Body: body})
	must(p.t, err)
}

// TestSoftwareIsLearntProposedTriedAndEnforced walks the whole way with terminals that speak the real protocol.
func TestSoftwareIsLearntProposedTriedAndEnforced(t *testing.T) {
	for _, lang := range []string{"ja", "en"} {
		t.Run(lang, func(t *testing.T) { learnProposeTryEnforce(t, lang) })
	}
}

func learnProposeTryEnforce(t *testing.T, lang string) {
	w, agents := stroll(t, lang)
	editor := policy.Program{ID: "deb:vim:amd64", Kind: policy.ProgramDeb, Name: "vim", Version: "9.0", Publisher: "Debian", Source: policy.SourceRepository, Origin: "deb.debian.org"}
	forms := policy.Program{ID: "app:forms", Kind: policy.ProgramApp, Name: "Forms", Version: "3.2", Publisher: "Forms KK", Source: policy.SourceLocal}
	tool := policy.Program{ID: "file:/opt/tool", Kind: policy.ProgramFile, Name: "tool", Path: "/opt/tool", Hash: strings.Repeat("5e", 32), Source: policy.SourceNone}
	game := policy.Program{ID: "app:game", Kind: policy.ProgramApp, Name: "Game", Version: "1.0", Publisher: "Fun Inc.", Source: policy.SourceLocal}
	at := "/policy/" + firstGroup + "/software"

	// Learn: a new category does so by itself.
	w.open(at)
	w.reads("学習", "Learn")
	w.keep("1-learn")
	control, err := w.db.GroupPolicy(t.Context(), firstGroup, 0)
	must(t, err)
	if control.Software.Mode != policy.ModeLearn || time.Until(control.Software.LearnUntil) < 13*24*time.Hour {
		t.Fatalf("it does not learn: %+v", control.Software)
	}

	// Terminals tell what they have and use. Nothing of it is a violation.
	var pcs []*pc
	for i := range 3 {
		p := w.pc(agents, fmt.Sprintf("KT-%04d", i+1))
		p.has(editor, forms)
		p.saw(policy.ProgramRun, tool, control.Software, policy.OutcomeLearnt)
		pcs = append(pcs, p)
	}
	pcs[2].has(editor, forms, game)
	pcs[2].saw(policy.ProgramRun, game, control.Software, policy.OutcomeLearnt)
	if c, err := w.db.CountEvents(t.Context(), store.EventFilter{Violations: true}); err != nil || c.Total != 0 {
		t.Fatalf("while it learns there are %d violations, %v", c.Total, err)
	}

	// Propose: the signed and hashed are ticked, who only says a publisher is not.
	w.open(at + "/proposal")
	w.reads("発行元が Forms KK", "the publisher is Forms KK")
	w.reads("発行元が Fun Inc.", "the publisher is Fun Inc.")
	w.script(`[...document.querySelectorAll("tr")].find(r => r.innerText.includes("Forms KK")).querySelector("input").click()`)
	w.keep("2-proposal")
	w.press(`.s-form-acts button[type=submit]`)

	// Draft: enforce, and stop what no rule names.
	w.press(`a[href$="edit?draft=1"]`)
	w.script(`document.querySelector('[name=mode][value=enforce]').click(); document.querySelector('#undecided').value = "block"`)
	w.press(`.s-form-acts button[value=draft]`)
	if now, err := w.db.GroupPolicy(t.Context(), firstGroup, 0); err != nil || now.Version != control.Version {
		t.Fatalf("a draft was published: %+v %v", now, err)
	}

	// Try it against the past: only the game would have been stopped, on one terminal.
	w.press(`form[action$="/dryrun"] button`)
	w.until("the answer is there", `document.querySelector("[data-state=done]") !== null`)
	w.reads("1件のソフトウェアを、1台で止めていたはずです", "It would have stopped 1 program on 1 terminal")
	w.reads("KT-0003", "KT-0003")
	w.keep("3-dryrun")

	// Enforce.
	w.press(`a[href$="/software/publish"]`)
	w.write("#reason", "試行で業務への影響がないことを確認")
	w.keep("4-publish")
	w.press(`.s-form-acts button[type=submit]`)
	w.reads("起動禁止", "Block from running")
	if control, err = w.db.GroupPolicy(t.Context(), firstGroup, 0); err != nil || control.Software.Mode != policy.ModeEnforce || control.Software.Undecided != policy.ActionBlock || len(control.Software.Rules) != 3 {
		t.Fatalf("published %+v %v", control.Software, err)
	}
	doc := &policy.Policy{Software: control.Software}
	for prog, want := range map[policy.Program]policy.Action{editor: policy.ActionAllow, forms: policy.ActionAllow, tool: policy.ActionAllow, game: policy.ActionBlock} {
		if got := policy.DecideProgram(doc, prog, time.Now()); got.Action != want {
			t.Errorf("%s: %s", prog.Name, got.Action)
		}
	}
	pcs[2].saw(policy.ProgramRun, game, control.Software, policy.OutcomeBlocked)
	w.open("/violations")
	w.reads("Game 1.0 の起動を遮断しました", "The start of Game 1.0 was blocked")
	w.press(`a[href^="/violations/"].t`)
	w.reads("起動を拒否しました", "It was not allowed to start")
	w.keep("5-violation")
}
