package web

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
)

// accountPage is one's own settings.
type accountPage struct {
	Name     string            `json:"name"`
	Role     string            `json:"role"`
	Language string            `json:"language"`
	Theme    string            `json:"theme"`
	Sessions []sessionView     `json:"sessions"`
	Tokens   []sessionView     `json:"tokens"`
	Secret   string            `json:"secret,omitempty"` // a new API token, shown once
	Done     string            `json:"done,omitempty"`   // word: what was just done
	Problems map[string]string `json:"problems,omitempty"`
}

type sessionView struct {
	ID        int64     `json:"id"`
	Note      string    `json:"note"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	LastSeen  time.Time `json:"last_seen"`
	ExpiresAt time.Time `json:"expires_at"`
	This      bool      `json:"this"`
}

func (s *server) account(r *request) error {
	return s.showAccount(r, accountPage{Done: doneWord(r.URL.Query().Get("done"))}, http.StatusOK)
}

func doneWord(w string) string {
	if w == "look" || w == "password" || w == "session" {
		return "account.done." + w
	}
	return ""
}

func (s *server) showAccount(r *request, body accountPage, code int) error {
	a := r.session.Account
	body.Name, body.Role, body.Language, body.Theme = a.Name, a.Role, r.lang, themeOf(a)
	list, err := s.DB.Sessions(r.Context(), a.ID)
	if err != nil {
		return err
	}
	for _, one := range list {
		v := sessionView{one.ID, one.Note, one.Account.Role, one.CreatedAt, one.LastSeen, one.ExpiresAt, one.ID == r.session.ID}
		switch {
		case !one.ExpiresAt.After(r.now):
		case one.API:
			body.Tokens = append(body.Tokens, v)
		case r.now.Sub(one.LastSeen) <= sessionIdle:
			body.Sessions = append(body.Sessions, v)
		}
	}
	return show(s, r, "account", body, title("account.title"), status(code))
}

func (s *server) changeLook(r *request) error {
	a := r.session.Account
	lang, theme := known(r.PostFormValue("language")), r.PostFormValue("theme")
	if lang == "" || !slices.Contains([]string{"auto", "light", "dark"}, theme) {
		return errBadForm
	}
	a.Language, a.Theme = lang, theme
	if err := s.DB.PutAccount(r.Context(), a, r.by(), r.now); err != nil {
		return err
	}
	http.SetCookie(r.w, languageChoice(lang))
	return seeOther(r, "/account?done=look")
}

// changePassword asks for the old one, and ends every other session: whoever knew it is out.
func (s *server) changePassword(r *request) error {
	a, problems := r.session.Account, map[string]string{}
	_, problem, err := s.authenticate(r, a.Name, r.PostFormValue("old"))
	if err != nil {
		return err
	}
	if problem != "" {
		problems["old"] = strings.Replace(problem, "login.refused", "account.old_wrong", 1)
	}
	password := r.PostFormValue("password")
	if w := weak(a.Name, password); w != "" {
		problems["password"] = w
	} else if password != r.PostFormValue("again") {
		problems["again"] = "password.differs"
	}
	if len(problems) > 0 {
		return s.showAccount(r, accountPage{Problems: problems}, http.StatusUnprocessableEntity)
	}
	a.Hash = s.hash.make(password)
	if err := s.DB.PutAccount(r.Context(), a, r.by(), r.now); err != nil {
		return err
	}
	if err := s.endOthers(r, a.ID); err != nil {
		return err
	}
	return seeOther(r, "/account?done=password")
}

// endOthers ends an account's sessions and API tokens but the one that asks.
func (s *server) endOthers(r *request, account int64) error {
	list, err := s.DB.Sessions(r.Context(), account)
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.ID == r.session.ID {
			continue
		}
		if err := s.DB.EndSession(r.Context(), one.ID, r.by(), r.now); err != nil {
			return err
		}
	}
	return nil
}

// endSession ends one of one's own sessions; another's is not found.
func (s *server) endSession(r *request) error {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	list, err := s.DB.Sessions(r.Context(), r.session.Account.ID)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(one store.Session) bool { return one.ID == id }) {
		return store.ErrNotFound
	}
	if err := s.DB.EndSession(r.Context(), id, r.by(), r.now); err != nil {
		return err
	}
	if id == r.session.ID {
		r.forgetCookie()
		return seeOther(r, "/login")
	}
	return seeOther(r, "/account?done=session")
}

func (s *server) newAPIToken(r *request) error {
	note := cut(strings.TrimSpace(r.PostFormValue("note")), 100)
	if note == "" {
		return s.showAccount(r, accountPage{Problems: map[string]string{"note": "account.token_note"}}, http.StatusUnprocessableEntity)
	}
	role := r.PostFormValue("role")
	switch role {
	case "", store.RoleAdmin: // the account's own
		role = ""
	case store.RoleAuditor:
	default:
		return errBadForm
	}
	secret := newSecret()
	err := s.DB.PutSession(r.Context(), store.Session{
		Hash: sha256.Sum256([]byte(secret)), Account: r.session.Account, API: true, Role: role, Note: note,
		CreatedAt: r.now, LastSeen: r.now, ExpiresAt: r.now.Add(apiTokenLife),
	}, r.now)
	if err != nil {
		return err
	}
	return s.showAccount(r, accountPage{Secret: secret}, http.StatusCreated)
}

// accountsPage is everybody who may sign in.
type accountsPage struct {
	Rows     []personView      `json:"accounts"`
	Name     string            `json:"-"`
	Role     string            `json:"-"`
	Password string            `json:"password,omitempty"` // a first password, shown once
	For      string            `json:"for,omitempty"`
	Problems map[string]string `json:"problems,omitempty"`
}

type personView struct {
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	Disabled  bool      `json:"disabled"`
	Self      bool      `json:"self"`
}

func (s *server) accounts(r *request) error { return s.showAccounts(r, accountsPage{}, http.StatusOK) }

func (s *server) showAccounts(r *request, body accountsPage, code int) error {
	list, err := s.DB.Accounts(r.Context())
	if err != nil {
		return err
	}
	for _, a := range list {
		body.Rows = append(body.Rows, personView{a.Name, a.Role, a.CreatedAt, a.Disabled, a.Name == r.by()})
	}
	return show(s, r, "accounts", body, title("accounts.title"), status(code))
}

// putAccount adds a person with a first password, gives one a new password, or disables and enables.
// Nobody can do it to themselves: the last administrator would lock the office out.
func (s *server) putAccount(r *request) error {
	name, role, do := strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("role"), r.PostFormValue("do")
	refuse := func(field, word string) error {
		return s.showAccounts(r, accountsPage{Name: name, Role: role, Problems: map[string]string{field: word}}, http.StatusUnprocessableEntity)
	}
	if !accountName(name) {
		return refuse("name", "accounts.bad_name")
	}
	if name == r.by() {
		return refuse("name", "accounts.self")
	}
	a, err := s.DB.Account(r.Context(), name)
	if do == "add" {
		if err == nil {
			return refuse("name", "accounts.exists")
		}
		if !slices.Contains([]string{store.RoleAdmin, store.RoleHelpdesk, store.RoleAuditor}, role) {
			return refuse("role", "accounts.role_missing")
		}
		a, err = store.Account{Name: name, Role: role, Language: "ja", Theme: "auto", CreatedAt: r.now}, nil
	}
	if err != nil {
		return err
	}
	return s.changeAccount(r, a, do)
}

func (s *server) changeAccount(r *request, a store.Account, do string) error {
	body := accountsPage{}
	switch do {
	case "add", "password":
		body.Password, body.For = newCode(), a.Name
		a.Hash = s.hash.make(body.Password)
	case "disable", "enable":
		a.Disabled = do == "disable"
	default:
		return errBadForm
	}
	if err := s.DB.PutAccount(r.Context(), a, r.by(), r.now); err != nil {
		return err
	}
	if body.Password == "" {
		return seeOther(r, "/accounts")
	}
	if do == "password" {
		if err := s.endOthers(r, a.ID); err != nil {
			return err
		}
	}
	return s.showAccounts(r, body, http.StatusCreated)
}
