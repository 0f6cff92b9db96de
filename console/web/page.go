package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"sekisho/console/store"
)

//go:embed templates/*.html
var templates embed.FS

// page is what every template and every JSON answer is made from: the shell around it for people, the body for both.
type page[T any] struct {
	Page  string    `json:"page"`
	Lang  string    `json:"lang"`
	Now   time.Time `json:"now"`
	Body  T         `json:"body"`
	Shell shell     `json:"-"`
}

// shell is the frame of a page: title, menu, who is signed in.
type shell struct {
	Title            string
	Section          string // which entry of the menu is current
	Account          string
	Role             string
	Theme            string
	Other            string // address of this page in the other language
	Version          string
	Query            string
	CSS, JS, ThemeJS string
	Open             int // violations not closed
	Terminals        int
	Running          int // grants
	Verified         verifiedView
	Signed           bool
	Menu             bool // false: a page for people who are not signed in
	status           int
}

// May tells a template whether the account has one of the roles.
func (s shell) May(roles ...string) bool {
	for _, r := range roles {
		if s.Role == r {
			return true
		}
	}
	return false
}

type shellOption func(*shell, *pages)

// title sets the page's name by a word of the catalogue.
func title(key string, args ...any) shellOption {
	return func(s *shell, p *pages) { s.Title = p.words.say(key, args...) }
}

// named sets the page's name to something that is a name already.
func named(name string) shellOption { return func(s *shell, _ *pages) { s.Title = name } }

func section(name string) shellOption { return func(s *shell, _ *pages) { s.Section = name } }
func status(code int) shellOption     { return func(s *shell, _ *pages) { s.status = code } }
func searched(q string) shellOption   { return func(s *shell, _ *pages) { s.Query = q } }

// pages are the templates of one language.
type pages struct {
	own   []ownText // what the console wrote into what is kept, in every language
	words words
	cal   calendar
	set   map[string]*template.Template
}

var languages = []string{"ja", "en"}

func parsePages(zone *time.Location) (map[string]*pages, error) {
	all := map[string]*pages{}
	for _, lang := range languages {
		w, err := loadWords(lang)
		if err != nil {
			return nil, err
		}
		p := &pages{words: w, cal: calendar{lang, zone}, set: map[string]*template.Template{}}
		for _, other := range languages {
			kept, err := loadWords(other)
			if err != nil {
				return nil, err
			}
			p.own = append(p.own, ownTexts(kept)...)
		}
		if err := p.parse(); err != nil {
			return nil, err
		}
		all[lang] = p
	}
	return all, nil
}

func (p *pages) parse() error {
	base, err := template.New("").Funcs(p.funcs()).ParseFS(templates, "templates/layout.html", "templates/parts.html", "templates/healthparts.html", "templates/sprite.html")
	if err != nil {
		return err
	}
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return err
	}
	for _, file := range files {
		t, err := base.Clone()
		if err != nil {
			return err
		}
		if p.set[strings.TrimSuffix(path.Base(file), ".html")], err = t.ParseFS(templates, file); err != nil {
			return err
		}
	}
	return nil
}

// show answers with the page, as HTML or as JSON of the same struct.
func show[T any](s *server, r *request, name string, body T, options ...shellOption) error {
	p := page[T]{Page: name, Lang: r.lang, Now: r.now, Body: body}
	set := s.pages[r.lang]
	p.Shell.status = http.StatusOK
	for _, o := range options {
		o(&p.Shell, set)
	}
	r.w.Header().Add("Vary", "Accept")
	if wantsJSON(r.Request) {
		return answerJSON(r.w, p.Shell.status, p)
	}
	s.frame(r, &p.Shell)
	var b bytes.Buffer
	if err := set.set[name].ExecuteTemplate(&b, "layout", p); err != nil {
		s.Log.Error().Err(err).Str("page", name).Msg("cannot render a page")
		http.Error(r.w, set.words.say("error.internal"), http.StatusInternalServerError)
		return nil
	}
	r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	r.w.Header().Set("Content-Language", r.lang)
	r.w.WriteHeader(p.Shell.status)
	b.WriteTo(r.w)
	return nil
}

func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json") || r.Header.Get("Authorization") != ""
}

func answerJSON(w http.ResponseWriter, code int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	w.Write(append(b, '\n'))
	return nil
}

// frame fills the shell. A number that cannot be had is left out of the menu rather than failing the page.
func (s *server) frame(r *request, sh *shell) {
	a := r.session.Account
	sh.Account, sh.Role, sh.Signed, sh.Version = a.Name, a.Role, r.signed, s.Version
	sh.Theme = themeOf(a)
	sh.CSS, sh.JS, sh.ThemeJS = s.assets.url("app.css"), s.assets.url("app.js"), s.assets.url("theme.js")
	sh.Other = otherLanguage(r)
	if !r.signed || r.session.API {
		return
	}
	sh.Menu = true
	if c, err := s.DB.CountEvents(r.Context(), store.EventFilter{Violations: true, State: stateUnclosed}); err == nil {
		sh.Open = c.Total
	}
	sh.Verified, _ = s.verified(r) // what cannot be had is shown as not known
	if groups, err := s.DB.Groups(r.Context()); err == nil {
		for _, g := range groups {
			sh.Terminals += g.Terminals
		}
	}
	if running, err := s.DB.Grants(r.Context(), store.GrantFilter{State: grantRunning, Limit: 100, Now: r.now}); err == nil {
		sh.Running = len(running)
	}
}

func themeOf(a store.Account) string {
	if a.Theme == "light" || a.Theme == "dark" {
		return a.Theme
	}
	return "auto"
}

// otherLanguage is this page's address in the other language; a refused form goes back to its page.
func otherLanguage(r *request) string {
	u := *r.URL
	q := u.Query()
	q.Set("lang", "en")
	if r.lang == "en" {
		q.Set("lang", "ja")
	}
	u.RawQuery = q.Encode()
	return u.RequestURI()
}

// seeOther sends the browser on after something was done.
func seeOther(r *request, to string) error {
	if wantsJSON(r.Request) {
		return answerJSON(r.w, http.StatusOK, map[string]string{"location": to})
	}
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}
