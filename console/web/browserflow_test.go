//go:build browser

package web

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/wire"
)

func TestAHelpdeskGivesAPermissionInARealBrowserAndSeesItBecomeUsable(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.fill()
	w := openWindow(t, s)
	w.signIn("1012")
	w.open(fmt.Sprint("/violations/", f.blocked))
	w.press(`a[href^="/carryout/new"]`)
	w.press(`.s-form-acts button[type=submit]`) // the reason is missing
	w.until("the summary has the focus", `document.activeElement.matches("[data-refused]")`)
	w.axe("refused permission")
	w.keep("grant-refused-1280")
	w.do(chromedp.SendKeys(chromedp.CSS("#reason"), "統計資料の提供(業務課長承認)"))
	w.press(`.s-form-acts button[type=submit]`)
	w.until("it waits for the terminal", `document.querySelector("[data-progress=waiting]") !== null`)

	list, err := s.db.Grants(context.Background(), store.GrantFilter{Limit: 1, Now: s.now})
	s.must(err)
	g := list[0]
	s.report(f.counter, &wire.Status{
		At: s.now, Agent: "0.1.0", Revision: g.Revision, Mode: "enforce", Gate: "shut",
		Devices: []wire.Attached{{Device: stick, Outcome: policy.OutcomeAllowed, Decision: policy.Decision{Action: policy.ActionAllow, Grant: g.ID, Until: g.Until}}},
	})
	w.until("the page itself says that the medium can be used", `document.querySelector("[data-progress=usable]") !== null`)
	w.axe("usable permission")
	w.keep("grant-usable-1280")
	w.press(`a[href$="/revoke"]`)
	w.axe("revoke, asked")
	w.press(`form[action$="/revoke"] button`)
	w.until("it is over", `document.querySelector("[data-progress=over]") !== null`)
	w.silent("permission")
}

func TestARenewingPageTakesNeitherFocusNorPlaceNorWhatIsTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.fill()
	w := openWindow(t, s)
	w.signIn("1007")
	w.open("/terminals/" + f.counter)
	w.do(discard(`scrollTo(0, 200); const q = document.querySelector("#q"); q.focus({preventScroll: true}); q.value = "KT-01"; document.querySelector("#terminal h1").dataset.mine = "1"`))
	s.report(f.counter, &wire.Status{At: s.now, Agent: "0.2.0-renewed", Revision: 1, Mode: "enforce", Gate: "shut"})
	w.until("the panel has renewed itself", `document.body.textContent.includes("0.2.0-renewed")`)
	if !ask[bool](w, `document.activeElement.id === "q" && document.activeElement.value === "KT-01" && Math.abs(scrollY - 200) < 2`) {
		t.Errorf("the renewal moved the reader: focus %s, at %v", ask[string](w, `document.activeElement.id || document.activeElement.tagName`), ask[float64](w, `scrollY`))
	}
	w.silent("renewal")
}

func TestTheKeysMoveTheCursorAndOpenTheRow(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	s.fill()
	w := openWindow(t, s)
	w.signIn("1007")
	w.open("/violations")
	w.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.KeyEvent("j"))
	second := ask[string](w, `document.querySelectorAll("[data-rows] tr[id]")[1].id`)
	if got := ask[string](w, `(document.querySelector("tr.cursor") || {}).id || ""`); got != second {
		t.Errorf("the cursor is on %q, not on the second row %q", got, second)
	}
	w.do(chromedp.KeyEvent("\r"))
	w.until("the row's page is open", `document.readyState === "complete" && location.pathname === "/violations/`+second[1:]+`"`)
	w.do(chromedp.KeyEvent("/"))
	w.until("the search has the focus", `document.activeElement.id === "q"`)
	w.silent("keys")
}

func TestAPolicyIsChangedInARealBrowserWithoutLosingWhatIsTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.fill()
	w := openWindow(t, s)
	w.signIn("1007")
	w.open("/policy/" + f.other + "/edit")
	w.do(chromedp.SendKeys(chromedp.CSS("#reason"), "窓口の2週間の記録を確認"))
	w.press(`button[value="add"]`)
	w.do(chromedp.SendKeys(chromedp.CSS(`[name="r0.name.ja"]`), "庁内の登録媒体"), chromedp.SendKeys(chromedp.CSS(`[name="r0.match.vendor"]`), "0781"))
	w.do(discard(`document.querySelector('[name=mode][value=enforce]').click(); document.querySelector('[name="r0.action"]').value = "allow"`))
	w.press(`.s-form-acts button[value="check"]`)
	w.axe("policy preview")
	w.keep("policy-preview-1280")
	w.press(`button[value="publish"]`)
	w.until("the new version is shown", `location.pathname === "/policy/`+f.other+`"`)
	have, err := s.db.GroupPolicy(context.Background(), f.other, 0)
	s.must(err)
	if have.Control.Mode != policy.ModeEnforce || have.Control.Rules[0].Match.Vendor != "0781" || have.Control.Rules[0].Action != policy.ActionAllow {
		t.Errorf("published %+v", have.Control)
	}
	w.silent("policy")
}

func TestADryRunTellsHowFarItIsAndCanBeStoppedInARealBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.full()
	w := openWindow(t, s)
	w.signIn("1007")
	ctx := context.Background()
	run := store.DryRun{Group: f.group, State: store.RunRunning, Total: 1_000_000, Body: "{}", By: "1007"}
	id, err := s.db.BeginDryRun(ctx, run, s.now)
	s.must(err)
	run.ID, run.Done = id, 250_000
	s.must(s.db.MoveDryRun(ctx, run, s.now))
	w.open(fmt.Sprint("/policy/", f.group, "/software/dryrun/", id))
	w.until("it shows how far it is", `document.querySelector("progress").value === 25`)
	w.axe("dry run under way")
	w.keep("dryrun-running-1280")
	run.Done = 750_000
	s.must(s.db.MoveDryRun(ctx, run, s.now))
	w.until("it goes on by itself", `document.querySelector("progress").value === 75`)
	w.press(`form[action$="/cancel"] button`)
	w.until("it was stopped", `document.querySelector("[data-state=cancelled]") !== null`)

	run.ID, err = s.db.BeginDryRun(ctx, run, s.now)
	s.must(err)
	w.open(fmt.Sprint("/policy/", f.group, "/software/dryrun/", run.ID))
	w.until("another one runs", `document.querySelector("[data-state=running]") !== null`)
	run.State, run.Body = store.RunDone, `{"stopped":[]}`
	s.must(s.db.MoveDryRun(ctx, run, s.now))
	w.until("the answer appears by itself", `document.querySelector("[data-state=done]") !== null`)
	w.silent("dry run")
}

// A page that slides to where its address leads takes a button away from under the hand: the press would hit nothing, or the
// button beside it.
func TestAPageStandsStillFromTheMomentItIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.full()
	w := openWindow(t, s)
	w.signIn("1007")
	w.do(chromedp.EmulateViewport(1280, 500))
	for _, address := range []string{"/policy/" + f.group + "/software#draft", "/policy/" + f.group + "/software#c4"} {
		w.open("/account")
		w.open(address)
		if places := ask[[]float64](w, places); len(places) != 1 || places[0] == 0 {
			t.Errorf("%s is seen at %v", address, places)
		}
	}
}

// places are where the page stood in its first half second.
const places = `new Promise(done => {
	const seen = new Set(), end = performance.now() + 500;
	const look = now => { seen.add(scrollY); now < end ? requestAnimationFrame(look) : done([...seen]) };
	requestAnimationFrame(look);
})`
