//go:build browser

package web

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"sekisho/internal/policy"
)

// TestFromTheMatrixToAWaiverInARealBrowser walks the way of an administrator: who fails, why, who answers for it.
func TestFromTheMatrixToAWaiverInARealBrowser(t *testing.T) {
	t.Parallel()
	for _, lang := range languages {
		s := newSite(t, bundledAssets(t))
		f := s.fill()
		w := openWindow(t, s)
		w.signIn("1007")
		w.look(lang, "light")
		w.open("/health?check=antivirus.patterns&result=fail")
		w.press(`td.m.hot a`)
		w.until("the sheet of the terminal is open at the check", `location.pathname === "/terminals/`+f.counter+`/health" && location.hash === "#antivirus.patterns"`)
		w.do(discard(`document.querySelector('#antivirus\\.patterns a[href*="/waivers?"]').scrollIntoView({block: "center", behavior: "instant"})`)) // away from the head that stays
		w.press(`#antivirus\.patterns a[href*="/waivers?"]`)
		w.press(`form[action$="/waivers"] button[type=submit]`) // nothing is filled in
		w.until("the summary has the focus", `document.activeElement.matches("[data-refused]")`)
		w.axe("refused waiver " + lang)
		w.keep("waiver-refused-" + lang + "-1280")
		for field, text := range map[string]string{"until": "2027-03-31", "reason": "配布元の更改まで", "measure": "毎朝手で更新する", "approver": "情報課長"} {
			w.do(chromedp.SendKeys(chromedp.CSS("#"+field), text))
		}
		w.press(`form[action$="/waivers"] button[type=submit]`)
		w.until("it was entered", `document.querySelector(".s-note.ok") !== null && document.body.textContent.includes("W-0002")`)
		results := fullSheet(s.now)
		results[0].Waiver = s.healthNow(f.group).Waivers[1].ID
		s.sheet(f.counter, results...) // as the terminal's agent does when it has the new policy
		w.open("/terminals/" + f.counter + "/health")
		w.until("the waiver stands beside the result", `document.getElementById("antivirus.patterns").textContent.includes("W-0002") && document.body.textContent.includes("毎朝手で更新する")`)
		w.axe("waived " + lang)
		w.keep("waived-" + lang + "-1280")
		w.silent("waiver " + lang)
	}
}

// TestAProductIsAddedTriedAndPublishedInARealBrowser adds a definition that no release knows.
func TestAProductIsAddedTriedAndPublishedInARealBrowser(t *testing.T) {
	t.Parallel()
	for _, lang := range languages {
		s := newSite(t, bundledAssets(t))
		f := s.fill()
		w := openWindow(t, s)
		w.signIn("1007")
		w.look(lang, "light")
		w.open("/policy/" + f.group)
		w.press(`a[href$="/health/probes"]`)
		w.press(`a[href$="/probes/new"]`)
		type fill struct{ field, text string }
		for _, one := range []fill{{"product", "オフィスガード"}, {"id", "office-guard"}, {"d0.path", `C:\Program Files\OfficeGuard\guard.exe`}, {"f0.path", `HKLM\SOFTWARE\OfficeGuard`}, {"f0.value", "PatternDate"}, {"f0.sample", "02/03/2026"}} {
			w.do(chromedp.SendKeys(chromedp.CSS(`[name="`+one.field+`"]`), one.text))
		}
		w.press(`#f0 button[value="try"]`)
		w.until("a date in another order is not read", `document.querySelector('[data-row="0"]').classList.contains("care")`)
		w.keep("probe-unread-" + lang + "-1280")
		w.do(discard(`document.querySelector('[name="f0.sample"]').value = ""`), chromedp.SendKeys(chromedp.CSS(`[name="f0.sample"]`), "2026/11/23"))
		w.press(`#f0 button[value="try"]`)
		w.until("it is read, and the checks say what they would", `document.querySelector('[data-row="0"]').classList.contains("ok") && document.querySelectorAll("[data-tried] tr").length > 3`)
		w.axe("tried " + lang)
		w.fits("tried "+lang, 1280)
		w.keep("probe-tried-" + lang + "-1280")
		w.do(chromedp.SendKeys(chromedp.CSS("#reason"), "新しい製品の導入"))
		w.press(`.s-form-acts button[value="check"]`)
		w.press(`button[value="publish"]`)
		w.until("the list names it", `location.pathname.endsWith("/health/probes") && document.body.textContent.includes("オフィスガード")`)
		i := probeIndex(s.healthNow(f.group), "office-guard")
		if i < 0 || s.healthNow(f.group).Probes[i].Facts[0].Form.Date != policy.DateYMD {
			t.Errorf("it is not in the policy as it was typed: %d", i)
		}
		w.silent("probe " + lang)
	}
}

// TestAMatrixOfManyTerminalsIsReadable looks at a fleet, empty lists and all, in both languages and both widths.
func TestAMatrixOfManyTerminalsIsReadable(t *testing.T) {
	t.Parallel()
	s := newSite(t, bundledAssets(t))
	f := s.fill()
	for i := range 40 {
		id := fmt.Sprintf("t-many-%02d", i)
		s.terminal(id, fmt.Sprintf("KT-%04d", 200+i), f.group)
		if i%7 != 0 {
			s.sheet(id, fullSheet(s.now)[i%4:]...)
		}
	}
	w := openWindow(t, s)
	w.signIn("1007")
	for _, lang := range languages {
		w.look(lang, "light")
		for _, address := range []string{"/health?area=all", "/health"} {
			page := address + " " + lang
			w.looks(address, "many-"+lang)
			w.do(discard(`const box = document.querySelector(".s-matrix-scroll"); box.scrollTo(300, 200)`))
			if !ask[bool](w, `(() => { const box = document.querySelector(".s-matrix-scroll"), left = box.getBoundingClientRect().left; return [...box.querySelectorAll("tbody .who")].every(c => Math.abs(c.getBoundingClientRect().left - left) < 2) })()`) {
				t.Errorf("%s: the first column does not stay", page)
			}
		}
	}
}
