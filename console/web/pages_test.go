package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// addresses are the pages that the site map leads to, with something behind every wildcard.
func (f fleet) addresses() []string {
	return append(f.healthAddresses(), []string{
		"/", "/violations", "/violations?state=all&days=30", "/violations?kind=storage&outcome=blocked&terminal=" + f.counter,
		fmt.Sprint("/violations/", f.blocked), fmt.Sprint("/violations/", f.failed), fmt.Sprint("/violations/", f.composite), fmt.Sprint("/violations/", f.audited),
		"/terminals", "/terminals?only=behind", "/terminals/" + f.counter, "/terminals/" + f.desk, "/terminals/" + f.desk + "/move?group=" + f.group, "/terminals/" + f.desk + "/retire", "/terminals?only=retired",
		"/carryout", "/carryout?state=running", "/carryout/" + f.grant, "/carryout/" + f.grant + "/revoke", fmt.Sprint("/carryout/new?event=", f.blocked), fmt.Sprint("/carryout/new?event=", f.composite),
		"/updates", "/updates?only=rolled_back", "/updates/offer?version=0.3.0&ring=all", "/updates/offer?version=0.3.0&ring=pilot", "/updates/offers/1/withdraw",
		"/software", "/software?list=forbidden&q=tool", "/software?group=" + f.group + "&kind=deb&source=repository", "/software?q=nothing", "/software/undecided", "/software/undecided?group=" + f.group,
		"/software/product?name=curl&publisher=Debian", "/terminals/" + f.counter + "/software", "/terminals/" + f.counter + "/software?list=undecided", "/terminals/" + f.desk + "/software?q=none",
		fmt.Sprint("/software/decide?group=", f.group, "&action=allow&program=", f.unknown), fmt.Sprint("/software/decide?group=", f.group, "&action=block&program=", f.unknown),
		"/policy/" + f.group + "/software", "/policy/" + f.other + "/software", "/policy/" + f.group + "/software/edit", "/policy/" + f.other + "/software/edit?learn=1", "/policy/" + f.group + "/software/edit?draft=1",
		"/policy/" + f.other + "/software/proposal", "/policy/" + f.group + "/software/import", "/policy/" + f.group + "/software/publish", fmt.Sprint("/policy/", f.group, "/software/dryrun/", f.run),
		fmt.Sprint("/violations/", f.program), fmt.Sprint("/carryout/new?event=", f.program), "/carryout/new?terminal=" + f.counter + "&item=" + url.QueryEscape("app:Chohyo"), "/carryout/" + f.permit, "/carryout/" + f.permit + "/revoke",
		"/violations?kind=program&state=all", "/policy", "/policy/" + f.group, "/policy/" + f.group + "?version=1", "/policy/" + f.group + "/edit", "/policy/" + f.other + "/edit?from=1",
		"/records", "/search", "/search?q=KT-0123", "/search?q=4C53", "/search?q=nothing", "/search?q=curl", "/tokens", "/tokens/1", "/accounts", "/account",
	}...)
}

// emptyAddresses are the pages that a console without any terminal has.
var emptyAddresses = []string{
	"/health", "/health?area=all", "/health/checks/patch.level", "/health/references", "/", "/violations", "/violations?kind=storage", "/terminals", "/terminals?q=x", "/carryout", "/updates", "/software", "/software/undecided", "/software?q=x", "/policy", "/records",
	"/search", "/search?q=x", "/tokens", "/accounts", "/account",
}

var leftover = regexp.MustCompile(`\{\d[:}]|&lt;no value&gt;|%!|ZgotmplZ|<no value>`)

func TestEveryPageRendersEmptyAndFullInBothLanguages(t *testing.T) {
	for _, lang := range languages {
		empty := newSite(t, nil)
		checkPages(t, empty.as("1007"), lang, emptyAddresses)
		full := newSite(t, nil)
		checkPages(t, full.as("1007"), lang, full.full().addresses())
	}
}

func checkPages(t *testing.T, b *browser, lang string, addresses []string) {
	t.Helper()
	b.get("/account?lang=" + lang)
	words := loadKeys(t, lang)
	for _, address := range addresses {
		a := b.get(address)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s in %s: status %d", address, lang, a.StatusCode)
			continue
		}
		if found := leftover.FindString(a.text); found != "" {
			t.Errorf("%s in %s shows %q", address, lang, found)
		}
		if strings.Contains(a.text, " style=") || strings.Contains(a.text, "<script>") || strings.Contains(a.text, " onclick=") {
			t.Errorf("%s holds inline style or script, which its policy forbids", address)
		}
		a.wants(t, `<html lang="`+lang+`"`, `<h1`, words["skip"])
		for _, naked := range nakedKey.FindAllStringSubmatch(a.text, -1) {
			t.Errorf("%s in %s shows the key %q instead of words", address, lang, naked[1])
		}
	}
}

// nakedKey finds a catalogue key that stands where words should.
var nakedKey = regexp.MustCompile(`>((?:overview|violations?|terminals?|grants?|grant_new|polic(?:y|ies)|edit|records|tokens?|accounts?|search|title|kind|step|evidence|progress|first|chart|ask|updates?|software|undecided|decide|control|draft|dryrun|proposal|import|permit|permit_new|program|product|rule|match|source|way|diff|list|ring|later|verified|health|n)\.[a-z_.]+)<`)

func loadKeys(t *testing.T, lang string) words {
	t.Helper()
	w, err := loadWords(lang)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEveryWordIsThereInBothLanguagesWithTheSamePlaceholders(t *testing.T) {
	ja, en := loadKeys(t, "ja"), loadKeys(t, "en")
	for key, text := range ja {
		other, ok := en[key]
		if !ok {
			t.Errorf("%s is missing in English", key)
			continue
		}
		if a, b := numbersOf(text), numbersOf(other); a != b && !strings.HasPrefix(key, "n.") {
			t.Errorf("%s has placeholders %s in Japanese and %s in English", key, a, b)
		}
		if strings.TrimSpace(text) == "" || strings.TrimSpace(other) == "" {
			t.Errorf("%s is empty", key)
		}
	}
	for key := range en {
		if _, ok := ja[key]; !ok {
			t.Errorf("%s is missing in Japanese", key)
		}
	}
}

func numbersOf(text string) string {
	seen := [10]bool{}
	for _, p := range placeholder.FindAllStringSubmatch(text, -1) {
		seen[number(p[1])] = true
	}
	return fmt.Sprint(seen)
}

var keyInTemplate = regexp.MustCompile(`\bt "([^"]+)"|mark "[^"]*" "[^"]*" "([^"]+)"`)

func TestEveryKeyThatATemplateNamesIsInTheCatalogue(t *testing.T) {
	ja := loadKeys(t, "ja")
	files, err := templates.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := templates.ReadFile("templates/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range keyInTemplate.FindAllStringSubmatch(string(text), -1) {
			if _, ok := ja[m[1]+m[2]]; !ok {
				t.Errorf("%s names %q, which nobody has written", file.Name(), m[1]+m[2])
			}
		}
	}
}

func TestNoRouteAnswersWithoutASession(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	for _, r := range routes() {
		if r.Public {
			continue
		}
		b := s.browser()
		a := b.do(r.Method, f.concrete(r.Pattern), formFor(r.Method))
		if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/login") {
			t.Errorf("%s %s without a session: %d %s", r.Method, r.Pattern, a.StatusCode, a.Header.Get("Location"))
		}
		b.header = http.Header{"Accept": {"application/json"}}
		if a := b.do(r.Method, f.concrete(r.Pattern), formFor(r.Method)); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s as JSON without a session: %d", r.Method, r.Pattern, a.StatusCode)
		}
	}
}

func TestNoRouteAnswersWithoutTheRole(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	for _, name := range []string{"1007", "1012", "1020"} {
		b := s.as(name)
		role := map[string]string{"1007": "admin", "1012": "helpdesk", "1020": "auditor"}[name]
		for _, r := range routes() {
			allowed := len(r.Roles) == 0
			for _, one := range r.Roles {
				allowed = allowed || one == role
			}
			if r.Public || allowed {
				continue
			}
			if a := b.do(r.Method, f.concrete(r.Pattern), formFor(r.Method)); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s as %s: %d", r.Method, r.Pattern, role, a.StatusCode)
			}
		}
	}
}

func formFor(method string) url.Values {
	if method == "POST" {
		return url.Values{}
	}
	return nil
}

func (f fleet) concrete(pattern string) string {
	id := map[string]string{"/violations/{id}": fmt.Sprint(f.blocked), "/terminals/{id}": f.counter, "/carryout/{id}": f.grant, "/carryout/{id}/revoke": f.grant,
		"/terminals/{id}/software": f.counter}[pattern]
	if id == "" {
		id = "1"
	}
	return strings.NewReplacer("{$}", "", "{id}", id, "{group}", f.group, "{token}", "x", "{check}", "antivirus.patterns", "{probe}", "clamav", "{waiver}", "W-0001", "{reference}", "1").Replace(pattern)
}

func TestEveryPageAnswersJSONOfTheSameStructToAnAPIToken(t *testing.T) {
	s := newSite(t, nil)
	f := s.full()
	made := s.as("1007").post("/account/tokens", url.Values{"note": {"監視"}})
	secret := regexp.MustCompile(`Bearer ([A-Za-z0-9_-]{43})`).FindStringSubmatch(made.text)
	if made.StatusCode != http.StatusCreated || secret == nil {
		t.Fatalf("no token was shown: %d", made.StatusCode)
	}
	b := s.browser()
	b.header = http.Header{"Authorization": {"Bearer " + secret[1]}}
	for _, address := range f.addresses() {
		a := b.get(address)
		var p struct {
			Page string          `json:"page"`
			Body json.RawMessage `json:"body"`
		}
		if err := json.Unmarshal([]byte(a.text), &p); err != nil || a.StatusCode != http.StatusOK || p.Page == "" || len(p.Body) < 3 {
			t.Errorf("%s: %d %v %.80s", address, a.StatusCode, err, a.text)
		}
		if strings.Contains(a.text, "argon2id") {
			t.Errorf("%s gives away a password hash", address)
		}
	}
}

func TestAnUnknownPageSaysSo(t *testing.T) {
	s := newSite(t, nil)
	b := s.as("1007")
	for _, address := range []string{"/nothing", "/violations/999999", "/violations/abc", "/terminals/none", "/carryout/none", "/policy/none", "/carryout/new?event=1"} {
		a := b.get(address)
		if a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", address, a.StatusCode)
		}
		a.wants(t, "見つかりません")
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	s := newSite(t, nil)
	for _, address := range []string{"/login", "/assets/app.css", "/nothing"} {
		h := s.browser().get(address).Header
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'") {
			t.Errorf("%s has the content policy %q", address, h.Get("Content-Security-Policy"))
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s lacks a header: %v", address, h)
		}
	}
}
