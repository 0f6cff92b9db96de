//go:build browser

package web

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"sekisho/internal/policy"
)

// TestAnotherNetworkIsCutOffByAPolicyInARealBrowser has adapters disabled, sees beforehand where that would reach, and reads on the terminal's
// sheet what came of it.
func TestAnotherNetworkIsCutOffByAPolicyInARealBrowser(t *testing.T) {
	for _, lang := range languages {
		s := newSite(t, bundledAssets(t))
		f := s.fill()
		failed := policy.CheckResult{Check: "network.tether", Result: policy.ResultFail, Code: policy.CodeFound, Value: "usb0 rndis_host", Want: "0", Source: "rtnetlink", Since: s.now, Stage: policy.StageViolation}
		s.sheet(f.counter, failed)
		w := openWindow(t, s)
		w.signIn("1007")
		w.look(lang, "light")
		w.open("/policy/" + f.group + "/health")
		w.do(discard(`document.querySelectorAll("#check\\.network\\.tether details, #check\\.network\\.wifi details").forEach(d => d.open = true);
			document.getElementById("separate.network.tether").value = "disable"; document.getElementById("mode.network.tether").value = "enforce";
			document.getElementById("separate.network.wifi").value = "disable"`))
		for _, width := range []int{1280, 390} {
			w.do(chromedp.EmulateViewport(int64(width), 900))
			w.keep(fmt.Sprintf("separate-form-%s-%d", lang, width))
			w.fits("form "+lang, width)
		}
		w.do(chromedp.EmulateViewport(1280, 900), chromedp.SendKeys(chromedp.CSS("#reason"), "個人の電話機の接続が続くため"))
		w.axe("form " + lang)
		w.press(`.s-form-acts button[value="check"]`)
		w.until("it is said where that would reach", `document.querySelector(".s-next .s-note.care").textContent.includes("KT-0123") && document.querySelector(".s-next .s-note.info") !== null`)
		w.axe("preview " + lang)
		w.keep("separate-preview-" + lang + "-1280")
		w.press(`button[value="publish"]`)
		w.until("it is published", `location.search.includes("done=published")`)
		if c := tetherOf(s.healthNow(f.group)); c.Separate != policy.SeparateDisable || c.Mode != policy.ModeEnforce {
			t.Errorf("%+v", c)
		}
		failed.Act = policy.Act{Adapter: "usb0", Outcome: policy.OutcomeBlocked}
		s.sheet(f.counter, failed) // as the terminal's agent does
		w.open("/terminals/" + f.counter + "/health#network.tether")
		w.until("the sheet says what was done", `document.getElementById("network.tether").textContent.includes("usb0") && document.querySelector("#network\\.tether b") !== null`)
		for _, width := range []int{1280, 390} {
			w.do(chromedp.EmulateViewport(int64(width), 900))
			w.keep(fmt.Sprintf("separate-sheet-%s-%d", lang, width))
			w.fits("sheet "+lang, width)
		}
		w.silent("separate " + lang)
	}
}
