//go:build browser

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// sent is a form that a person sends as it cannot be taken, or sends to see first what would come of it.
type sent struct {
	name    string
	page    string
	form    string // its action's end
	do      string // the value of the button, where the form has several
	fields  map[string]string
	refused bool // otherwise it answers with a preview or a trial
}

// sendings are the states that only a form sent can bring about, one of each kind of page.
func (f fleet) sendings() []sent {
	group, other := "/policy/"+f.group, "/policy/"+f.other
	decide := fmt.Sprint("/software/decide?group=", f.group, "&action=block&program=", f.unknown)
	return []sent{
		{"violation", fmt.Sprint("/violations/", f.blocked), fmt.Sprint("/violations/", f.blocked), "closed", map[string]string{"reason": " "}, true},
		{"medium", fmt.Sprint("/carryout/new?event=", f.blocked), "/carryout/new", "", map[string]string{"until": "あした"}, true},
		{"permit", fmt.Sprint("/carryout/new?event=", f.program), "/carryout/new", "", map[string]string{"until": "あした"}, true},
		{"accounts", "/accounts", "/accounts", "add", map[string]string{"name": " "}, true},
		{"account-password", "/account", "/account/password", "", map[string]string{"old": "wrong", "password": "x", "again": "y"}, true},
		{"account-token", "/account", "/account/tokens", "", map[string]string{"note": " "}, true},
		{"account-token-made", "/account", "/account/tokens", "", map[string]string{"note": "監視"}, false},
		{"tokens", "/tokens", "/tokens", "", map[string]string{"uses": "0", "days": "many"}, true},
		{"tokens-made", "/tokens", "/tokens", "", map[string]string{"note": "窓口"}, false},
		{"policies", "/policy", "/policy", "", map[string]string{"name": " "}, true},
		{"updates", "/updates", "/updates", "", nil, true},
		{"policy", group + "/edit", "/edit", "check", map[string]string{"r0.name.ja": "", "r0.match.vendor": "SanDisk", "mode": "audit"}, true},
		{"policy-preview", group + "/edit", "/edit", "check", map[string]string{"mode": "audit"}, false},
		{"policy-no-reason", group + "/edit", "/edit", "publish", map[string]string{"mode": "audit"}, true},
		{"policy-older", group + "/edit", "/edit", "publish", map[string]string{"mode": "audit", "based_on": "1", "reason": "x"}, true},
		{"decide", decide, "/software/decide", "", map[string]string{"review": "someday"}, true},
		{"decide-older", decide, "/software/decide", "", map[string]string{"reason": "x", "version": "1"}, true},
		{"software", group + "/software/edit", "/software/edit", "check", map[string]string{"r0.match.name": "*", "r0.name.ja": "", "r1.match.hash": "abc", "r1.review": "someday"}, true},
		{"software-learn", group + "/software/edit", "/software/edit", "check", map[string]string{"mode": "learn", "learn_until": ""}, true},
		{"software-preview", group + "/software/edit", "/software/edit", "check", map[string]string{"undecided": "block"}, false},
		{"software-no-reason", group + "/software/edit", "/software/edit", "publish", map[string]string{"undecided": "block"}, true},
		{"software-older", group + "/software/edit", "/software/edit", "publish", map[string]string{"undecided": "block", "based_on": "1", "reason": "x"}, true},
		{"proposal", other + "/software/proposal", "/software/proposal", "", map[string]string{"take": ""}, true},
		{"import", group + "/software/import", "/software/import", "check", map[string]string{"text": "id,action\nx,maybe\n"}, true},
		{"import-nothing", group + "/software/import", "/software/import", "check", nil, true},
		{"publish", group + "/software/publish", "/software/publish", "", map[string]string{"reason": " "}, true},
		{"publish-older", group + "/software/publish", "/software/publish", "", map[string]string{"reason": "x", "version": "1"}, true},
		{"offer-older", "/updates/offer?version=0.3.0&ring=all", "/updates/offer", "", map[string]string{"newest": "9"}, true},
		{"health", group + "/health", "/health", "publish", map[string]string{"limit.patch.level.overdue.count": "many", "grace.antivirus.patterns.warning.count": "30", "cal.closed": "2027-01-01\n2027-02-30\n"}, true},
		{"health-preview", group + "/health", "/health", "check", map[string]string{"mode": "enforce", "limit.antivirus.patterns.behind.count": "9"}, false},
		{"health-older", group + "/health", "/health", "publish", map[string]string{"mode": "enforce", "based_on": "9", "reason": "x"}, true},
		{"waivers", group + "/health/waivers", "/health/waivers", "", map[string]string{"until": "someday", "terminal": ""}, true},
		{"probe", group + "/health/probes/new", "/health/probes/new", "check", map[string]string{"id": "Not An Id"}, true},
		{"probe-tried", group + "/health/probes/clamav", "/health/probes/clamav", "try", map[string]string{"f0.sample": "ClamAV 1.0.7/27466/Tue Nov 24 08:00:00 2026"}, false},
		{"probe-no-reason", group + "/health/probes/clamav", "/health/probes/clamav", "publish", map[string]string{"product": "ClamAV (庁内)"}, true},
		{"references", "/health/references", "/health/references", "", nil, true},
		{"reference-keys", "/health/references", "/health/references/keys", "", map[string]string{"keys": "not a key"}, true},
	}
}

// fillIn types into a form what a person would, and marks the button that sends it.
const fillIn = `(({form, do: word, fields}) => {
	const one = [...document.querySelectorAll("form[method=post]")].find(f => f.getAttribute("action").endsWith(form) && (!word || f.querySelector("button[name=do], button[value=" + word + "]")));
	if (!one) return "there is no form for " + form;
	for (let box = one.parentElement; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
	one.querySelectorAll("details").forEach(d => d.open = true);
	one.noValidate = true;
	for (const [name, text] of Object.entries(fields || {})) {
		const all = [...one.querySelectorAll("[name]")].filter(e => e.name === name);
		if (!all.length) return "there is no field " + name;
		for (const e of all) if (e.type === "radio" || e.type === "checkbox") e.checked = e.value === text; else e.value = text;
	}
	let button = [...one.querySelectorAll("button[type=submit]:not([aria-hidden])")].filter(b => !word || b.value === word).pop();
	if (!button) { // the preview has it, which somebody keeps open in another window
		button = document.createElement("button");
		[button.name, button.value, button.textContent] = ["do", word, word];
		one.append(button);
	}
	button.id = "the-button";
	button.scrollIntoView({block: "center", behavior: "instant"});
	return "";
})`

func (w *window) send(one sent) {
	w.t.Helper()
	how, err := json.Marshal(map[string]any{"form": one.form, "do": one.do, "fields": one.fields})
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(chromedp.EmulateViewport(1280, 900))
	w.open(one.page)
	if wrong := ask[string](w, fillIn+"("+string(how)+")"); wrong != "" {
		w.t.Errorf("%s: %s", one.name, wrong)
		return
	}
	w.press("#the-button")
}

// A form that is refused has the reader at what is wrong: a summary with the focus, each of its lines leading to a field that is there.
const refusal = `(() => {
	const box = document.querySelector("[data-refused]"), wrong = [];
	if (!box) return ["nothing says what is wrong"];
	if (document.activeElement !== box) wrong.push("the focus is on " + document.activeElement.outerHTML.slice(0, 80));
	for (const a of box.querySelectorAll('a[href^="#"]')) {
		const to = document.getElementById(decodeURIComponent(a.hash.slice(1)));
		if (!to) wrong.push(a.hash + " leads nowhere");
		else if (!to.matches(":is(input, select, textarea, button, a)") && !to.hasAttribute("tabindex") && to.tagName !== "FIELDSET") wrong.push(a.hash + " cannot be focused");
	}
	for (const one of document.querySelectorAll(".invalid-feedback")) if (!one.checkVisibility()) wrong.push("nobody sees " + one.textContent);
	return wrong;
})()`

func TestWhatAFormAnswersIsAccessibleAndFits(t *testing.T) {
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, bundledAssets(t))
			f := s.full()
			w := openWindow(t, s)
			w.signIn("1007")
			w.look(lang, "auto")
			for _, one := range f.sendings() {
				w.send(one)
				if one.refused {
					for _, wrong := range ask[[]string](w, refusal) {
						t.Errorf("%s refused in %s: %s", one.name, lang, wrong)
					}
				}
				axe := []int{}
				if lang == languages[0] {
					axe = append(axe, 0)
				}
				w.judge("sent-"+one.name, lang, axe...)
			}
		})
	}
}

// An auditor, who may only look, and a helpdesk, who may do some of it, find pages that say so: one of each kind, and the refusal.
func TestWhatARoleMayNotDoIsAccessibleAndFits(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.full()
	for _, role := range []string{"1020", "1012"} {
		w, kinds := openWindow(t, s), map[string]bool{}
		w.signIn(role)
		for _, address := range f.addresses() {
			if kind := w.kind(address); !kinds[kind] {
				kinds[kind] = true
				w.looks(address, "ja-"+role, 0)
			}
		}
		if !kinds["error"] {
			t.Errorf("%s is refused nothing", role)
		}
	}
}

// What is put on paper is dark on white, whatever the screen was, and no wider than the sheet.
func TestWhatIsPrintedFitsTheSheetAndCanBeRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.full()
	w, kinds := openWindow(t, s), map[string]bool{}
	w.signIn("1007")
	w.do(chromedp.EmulateViewport(sheet, 1000))
	for _, address := range f.addresses() {
		kind := w.kind(address)
		if kinds[kind] {
			continue
		}
		kinds[kind] = true
		w.open(address)
		w.do(discard(`document.documentElement.setAttribute("data-bs-theme", "dark")`), onPaper("print"))
		w.contrast(address + " printed")
		w.fits(address+" printed", sheet)
		w.keep("print-" + fileName.Replace(address))
		if dark := ask[[]string](w, inked); len(dark) > 0 {
			t.Errorf("%s is printed on a dark ground: %q", address, dark)
		}
		w.do(onPaper(""))
	}
}

// sheet is how wide A4 is between its margins, in the pixels of style sheets.
const sheet = 718

// inked are the large grounds that paper would have to be painted with.
const inked = `[document.documentElement, document.body, ...document.querySelectorAll("main, .s-panel")].filter(e => {
	const pen = new OffscreenCanvas(1, 1).getContext("2d");
	pen.fillStyle = getComputedStyle(e).backgroundColor;
	pen.fillRect(0, 0, 1, 1);
	const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
	return a > 0 && r + g + b < 384;
}).map(e => e.outerHTML.slice(0, 60))`

func onPaper(media string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media})
		return err
	})
}
