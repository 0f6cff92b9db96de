package web

import (
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	"sekisho/console/store"
)

const (
	lockAfter  = 10 // failures; the limit the guideline names
	lockWindow = 15 * time.Minute
	slowAfter  = 5 // from here each failure doubles the wait
)

// signInPage is the sign-in form; Problem is a word of the catalogue.
type signInPage struct {
	Name    string `json:"name,omitempty"`
	Next    string `json:"next,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (s *server) showSignIn(r *request) error {
	next := localPath(r.URL.Query().Get("next"))
	if r.signed && !r.session.API {
		return seeOther(r, next)
	}
	return show(s, r, "login", signInPage{Next: next}, title("login.title"))
}

// localPath keeps a redirect on this console. Browsers drop tabs and line ends from an address before they read it,
// so that "/\t/evil" is "//evil" to them (https://url.spec.whatwg.org/#concept-basic-url-parser).
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsRune(next, '\\') || strings.ContainsFunc(next, unicode.IsControl) {
		return "/"
	}
	return next
}

func (s *server) signIn(r *request) error {
	form := signInPage{Name: cut(strings.TrimSpace(r.PostFormValue("name")), 64), Next: localPath(r.PostFormValue("next"))}
	if !s.knocks.enter(address(r.Request), r.now) {
		form.Problem = "login.locked"
		return show(s, r, "login", form, title("login.title"), status(http.StatusTooManyRequests))
	}
	a, problem, err := s.authenticate(r, form.Name, r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if problem != "" {
		form.Problem = problem
		return show(s, r, "login", form, title("login.title"), status(http.StatusUnauthorized))
	}
	s.knocks.forget(address(r.Request))
	if err := s.beginSession(r, a); err != nil {
		return err
	}
	return seeOther(r, form.Next)
}

// authenticate says whose name and password it is. The answer and the time it takes are the same for
// an unknown name, a wrong password and a disabled account.
func (s *server) authenticate(r *request, name, password string) (store.Account, string, error) {
	ctx := r.Context()
	s.judging.Lock() // or many tries at once would all be judged before the first of them counts
	defer s.judging.Unlock()
	wait, err := s.mustWait(r, name)
	if err != nil {
		return store.Account{}, "", err
	}
	if wait != "" {
		return store.Account{}, wait, nil
	}
	a, err := s.DB.Account(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Account{}, "", err
	}
	ok, err := s.hash.check(a.Hash, cut(password, passwordMax+1))
	if err != nil {
		return store.Account{}, "", err
	}
	ok = ok && !a.Disabled
	if err := s.DB.NoteSignIn(ctx, name, address(r.Request), ok, r.now); err != nil {
		return store.Account{}, "", err
	}
	if !ok {
		return store.Account{}, "login.refused", nil
	}
	return a, "", nil
}

// mustWait refuses a name that was tried too often: the wait doubles with each failure, and at the tenth it is long.
func (s *server) mustWait(r *request, name string) (string, error) {
	failed, err := s.DB.FailedSignIns(r.Context(), name, r.now.Add(-lockWindow))
	if err != nil || failed < slowAfter {
		return "", err
	}
	if failed >= lockAfter {
		return "login.locked", nil
	}
	pause := time.Second << (failed - slowAfter)
	recent, err := s.DB.FailedSignIns(r.Context(), name, r.now.Add(-pause))
	if err != nil || recent == 0 {
		return "", err
	}
	return "login.slow", nil
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (s *server) signOut(r *request) error {
	if err := s.DB.EndSession(r.Context(), r.session.ID, r.by(), r.now); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	r.forgetCookie()
	return seeOther(r, "/login")
}

// setupPage makes the first administrator, once.
type setupPage struct {
	Token    string            `json:"-"`
	Name     string            `json:"name,omitempty"`
	Problems map[string]string `json:"problems,omitempty"` // field -> word of the catalogue
}

func (s *server) showSetup(r *request) error {
	return show(s, r, "setup", setupPage{Token: r.PathValue("token")}, title("setup.title"))
}

func (s *server) setup(r *request) error {
	form := setupPage{Token: r.PathValue("token"), Name: strings.TrimSpace(r.PostFormValue("name")), Problems: map[string]string{}}
	password := r.PostFormValue("password")
	form.check(password, r.PostFormValue("again"))
	if len(form.Problems) > 0 {
		return show(s, r, "setup", form, title("setup.title"), status(http.StatusUnprocessableEntity))
	}
	a := store.Account{Name: form.Name, Role: store.RoleAdmin, Language: r.lang, Theme: "auto", Hash: s.hash.make(password), CreatedAt: r.now}
	err := s.DB.TakeSetup(r.Context(), sha256.Sum256([]byte(form.Token)), a, r.now)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		form.Problems["token"] = "setup.used"
		return show(s, r, "setup", form, title("setup.title"), status(http.StatusConflict))
	}
	if err != nil {
		return err
	}
	if a, err = s.DB.Account(r.Context(), form.Name); err != nil {
		return err
	}
	if err := s.beginSession(r, a); err != nil {
		return err
	}
	return seeOther(r, "/")
}

func (f *setupPage) check(password, again string) {
	if !accountName(f.Name) {
		f.Problems["name"] = "accounts.bad_name"
	}
	if w := weak(f.Name, password); w != "" {
		f.Problems["password"] = w
	} else if password != again {
		f.Problems["again"] = "password.differs"
	}
}

// accountName: staff numbers and short latin names, so that one person has one spelling.
func accountName(name string) bool {
	if name == "" || len(name) > 32 {
		return false
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c)) {
			return false
		}
	}
	return true
}
