package web

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sekisho/console/store"
)

func signInForm(name, pw string) url.Values { return url.Values{"name": {name}, "password": {pw}} }

func TestASessionCookieIsHostOnlySecureAndNotForScripts(t *testing.T) {
	s := newSite(t, nil)
	a := s.browser().post("/login", signInForm("1007", password))
	cookie := a.Header.Get("Set-Cookie")
	for _, part := range []string{"__Host-sekisho=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie lacks %s: %s", part, cookie)
		}
	}
	if strings.Contains(cookie, "Domain=") {
		t.Errorf("the cookie names a domain: %s", cookie)
	}
}

func TestAnUnknownNameAndAWrongPasswordReadTheSame(t *testing.T) {
	s := newSite(t, nil)
	wrong := s.browser().post("/login", signInForm("1007", "not it at all"))
	unknown := s.browser().post("/login", signInForm("1008", "not it at all"))
	if wrong.StatusCode != http.StatusUnauthorized || unknown.StatusCode != http.StatusUnauthorized {
		t.Fatalf("%d and %d", wrong.StatusCode, unknown.StatusCode)
	}
	if strings.ReplaceAll(wrong.text, "1007", "") != strings.ReplaceAll(unknown.text, "1008", "") {
		t.Error("the two answers differ")
	}
}

func TestTenFailuresLockTheNameForAQuarterOfAnHour(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	for range 10 {
		b.post("/login", signInForm("1007", "wrong"))
		s.now = s.now.Add(40 * time.Second) // longer than every pause
	}
	b.post("/login", signInForm("1007", password)).wants(t, "ログインできません")
	s.now = s.now.Add(lockWindow)
	if a := b.post("/login", signInForm("1007", password)); a.StatusCode != http.StatusSeeOther {
		t.Errorf("still locked after the time: %d", a.StatusCode)
	}
}

func TestFromTheFifthFailureOnOneHasToWait(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	for range 6 {
		b.post("/login", signInForm("1007", "wrong"))
		s.now = s.now.Add(5 * time.Second)
	}
	s.now = s.now.Add(-5 * time.Second)
	b.post("/login", signInForm("1007", password)).wants(t, "少し待ってください")
	s.now = s.now.Add(3 * time.Second)
	if a := b.post("/login", signInForm("1007", password)); a.StatusCode != http.StatusSeeOther {
		t.Errorf("after waiting: %d", a.StatusCode)
	}
}

func TestASessionEndsAfterHalfAnHourWithoutUseAndAfterTwelveHoursInAnyCase(t *testing.T) {
	s := newSite(t, nil)
	b := s.as("1007")
	for range 2 {
		s.now = s.now.Add(29 * time.Minute)
		if a := b.get("/"); a.StatusCode != http.StatusOK {
			t.Fatalf("ended while in use: %d", a.StatusCode)
		}
	}
	s.now = s.now.Add(31 * time.Minute)
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("lives on unused: %d", a.StatusCode)
	}
	b = s.as("1007")
	for range 24 {
		s.now = s.now.Add(29 * time.Minute)
		b.get("/")
	}
	s.now = s.now.Add(29 * time.Minute)
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("lives longer than twelve hours: %d", a.StatusCode)
	}
}

func TestSigningOutEndsTheSessionAtTheConsole(t *testing.T) {
	s := newSite(t, nil)
	b := s.as("1007")
	u, _ := url.Parse(s.URL)
	kept := b.c.Jar.Cookies(u)
	b.post("/logout", url.Values{})
	b.c.Jar.SetCookies(u, kept) // somebody copied the cookie
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a copied cookie still works: %d", a.StatusCode)
	}
}

func TestAnotherSitesFormIsRefused(t *testing.T) {
	s := newSite(t, nil)
	b := s.as("1007")
	b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
	if a := b.post("/policy", url.Values{"name": {"x"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("a cross-site request got %d", a.StatusCode)
	}
}

func TestTheWayBackAfterSigningInStaysOnThisConsole(t *testing.T) {
	for in, want := range map[string]string{
		"/violations?kind=storage": "/violations?kind=storage", "//evil.example": "/", "https://evil.example": "/", "/\\evil": "/", "": "/", "/a\r\nb": "/", "/\t/evil.example": "/", "/\x00/evil.example": "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTheSetupLinkMakesOneAdministratorOnce(t *testing.T) {
	s := newSite(t, nil)
	ctx, link := context.Background(), sha256.Sum256([]byte("link"))
	if err := s.db.PutSetup(ctx, link, s.now.Add(time.Hour)); err == nil {
		t.Fatal("a setup link was made although there is an administrator")
	}
	form := url.Values{"name": {"2001"}, "password": {"a long enough one"}, "again": {"a long enough one"}}
	a := s.browser().post("/setup/link", form)
	if a.StatusCode != http.StatusConflict {
		t.Errorf("the link worked beside an administrator: %d", a.StatusCode)
	}
	a.wants(t, "2001", "使用済み")
}

func TestTheSetupLinkMakesTheFirstAdministratorAndSignsThemIn(t *testing.T) {
	s := newBareSite(t, nil)
	s.must(s.db.PutSetup(context.Background(), sha256.Sum256([]byte("link")), s.now.Add(time.Hour)))
	b := s.browser()
	b.post("/setup/link", url.Values{"name": {"2001"}, "password": {"short"}, "again": {"short"}}).wants(t, "短すぎます", `value="2001"`)
	form := url.Values{"name": {"2001"}, "password": {"a long enough one"}, "again": {"a long enough one"}}
	if a := b.post("/setup/other", form); a.StatusCode != http.StatusConflict {
		t.Errorf("a guessed link got %d", a.StatusCode)
	}
	if a := b.post("/setup/link", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	b.get("/").wants(t, "はじめに行うこと", "2001")
	if a := s.browser().post("/setup/link", form); a.StatusCode != http.StatusConflict {
		t.Errorf("the link worked twice: %d", a.StatusCode)
	}
}

func TestAnAPITokenCannotChangeWhoMaySignIn(t *testing.T) {
	s := newSite(t, nil)
	f := s.fill()
	made := s.as("1007").post("/account/tokens", url.Values{"note": {"x"}})
	secret := regexp.MustCompile(`Bearer ([A-Za-z0-9_-]{43})`).FindStringSubmatch(made.text)[1]
	b := s.browser()
	b.header = http.Header{"Authorization": {"Bearer " + secret}}
	for _, r := range routes() {
		if !r.NoAPI {
			continue
		}
		if a := b.do(r.Method, f.concrete(r.Pattern), url.Values{}); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s by a token: %d", r.Method, r.Pattern, a.StatusCode)
		}
	}
	cookie := s.browser()
	u, _ := url.Parse(s.URL)
	cookie.c.Jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: secret, Secure: true, Path: "/"}})
	if a := cookie.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a token was taken as a cookie: %d", a.StatusCode)
	}
}

func TestAWeakPasswordIsRefusedWithTheReason(t *testing.T) {
	for pw, want := range map[string]string{
		"short": "password.short", "elevenchars": "password.short", "Mixed-enough1": "", "twelve chars": "", "x1007-abcdefgh": "password.name",
		"aaaaaaaaaaaaaaaa": "password.plain", "日本語の長い合言葉を使う人": "", strings.Repeat("ab1!", 65): "password.long",
	} {
		if got := weak("1007", pw); got != want {
			t.Errorf("weak(%q) = %q, want %q", pw, got, want)
		}
	}
}

func TestAPasswordHashKnowsItsOwnPasswordAndNothingElse(t *testing.T) {
	h := newHasher(64, 1)
	stored := h.make("right")
	if ok, err := h.check(stored, "right"); !ok || err != nil {
		t.Errorf("right: %v %v", ok, err)
	}
	if ok, _ := h.check(stored, "wrong"); ok {
		t.Error("wrong was taken")
	}
	if ok, _ := h.check("", "nobody's password"); ok {
		t.Error("the stand-in for unknown names can sign in")
	}
	for _, broken := range []string{"x", "$argon2id$v=19$m=9999999,t=1,p=4$AAAA$AAAA", "$argon2id$v=1$m=64,t=1,p=4$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA"} {
		if ok, err := h.check(broken, "x"); ok || err == nil {
			t.Errorf("%q: %v %v", broken, ok, err)
		}
	}
}

func TestAChangedPasswordEndsEveryOtherSession(t *testing.T) {
	s := newSite(t, nil)
	here, there := s.as("1012"), s.as("1012")
	a := here.post("/account/password", url.Values{"old": {password}, "password": {"another good one"}, "again": {"another good one"}})
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d", a.StatusCode)
	}
	if a := there.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the other browser goes on: %d", a.StatusCode)
	}
	if a := here.get("/account"); a.StatusCode != http.StatusOK {
		t.Errorf("this browser was signed out: %d", a.StatusCode)
	}
}

func TestADisabledAccountIsOutAtOnce(t *testing.T) {
	s := newSite(t, nil)
	b := s.as("1012")
	s.as("1007").post("/accounts", url.Values{"name": {"1012"}, "do": {"disable"}})
	if a := b.get("/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("still in: %d", a.StatusCode)
	}
	if a := s.browser().post("/login", signInForm("1012", password)); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("can sign in: %d", a.StatusCode)
	}
}

func TestNobodyChangesTheirOwnAccountAway(t *testing.T) {
	s := newSite(t, nil)
	s.as("1007").post("/accounts", url.Values{"name": {"1007"}, "do": {"disable"}}).wants(t, "自分自身は変えられません")
	if a, err := s.db.Account(context.Background(), "1007"); err != nil || a.Disabled || a.Role != store.RoleAdmin {
		t.Errorf("%+v %v", a, err)
	}
}
