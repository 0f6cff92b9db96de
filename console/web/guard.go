package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
)

const (
	sessionCookie = "__Host-sekisho" // the prefix makes browsers insist on Secure, Path=/ and no Domain
	sessionIdle   = 30 * time.Minute
	sessionLife   = 12 * time.Hour
	apiTokenLife  = 365 * day
)

// request is what a handler gets: who asks, in which language, at which moment.
type request struct {
	*http.Request
	w       http.ResponseWriter
	now     time.Time
	lang    string
	session store.Session
	signed  bool
}

// role is what the account may do; nobody has none.
func (r *request) role() string { return r.session.Account.Role }

func (r *request) may(roles []string) bool {
	return len(roles) == 0 || slices.Contains(roles, r.role())
}

// by is the name that acts are written down under.
func (r *request) by() string { return r.session.Account.Name }

// guard is the only way to a handler: session, role, language, and what becomes of an error.
func (s *server) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		r := &request{Request: hr, w: w, now: s.Now()}
		err := s.identify(r)
		r.lang = chooseLanguage(r)
		switch {
		case err != nil:
		case !rt.Public && !r.signed:
			err = errSignIn
		case !rt.Public && (!r.may(rt.Roles) || rt.NoAPI && r.session.API):
			err = errForbidden
		default:
			err = rt.do(s, r)
		}
		if err != nil {
			s.fail(r, err)
		}
	})
}

// identify finds the session of the cookie or of the bearer token; without one the request is nobody's.
func (s *server) identify(r *request) error {
	secret, api := secretOf(r.Request)
	if secret == "" {
		return nil
	}
	found, err := s.DB.SessionInUse(r.Context(), sha256.Sum256([]byte(secret)), sessionIdle, r.now)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.API != api { // a stolen token is no cookie, and a stolen cookie no token
		return nil
	}
	r.session, r.signed = found, true
	return nil
}

func secretOf(r *http.Request) (secret string, api bool) {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return bearer, true
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		return c.Value, false
	}
	return "", false
}

// newSecret is 256 bits from the system's generator, as text.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *server) beginSession(r *request, a store.Account) error {
	secret := newSecret()
	err := s.DB.PutSession(r.Context(), store.Session{
		Hash: sha256.Sum256([]byte(secret)), Account: a, Note: cut(r.UserAgent(), 200),
		CreatedAt: r.now, LastSeen: r.now, ExpiresAt: r.now.Add(sessionLife),
	}, r.now)
	if err != nil {
		return err
	}
	http.SetCookie(r.w, &http.Cookie{
		Name: sessionCookie, Value: secret, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, MaxAge: int(sessionLife.Seconds()),
	})
	return nil
}

func (r *request) forgetCookie() {
	http.SetCookie(r.w, &http.Cookie{Name: sessionCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// cut shortens to n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
