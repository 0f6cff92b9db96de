package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
)

// tokensPage lists enrolment codes; Code is shown once, right after it was made.
type tokensPage struct {
	Rows        []tokenView       `json:"tokens"`
	Groups      []groupView       `json:"groups"`
	Code        string            `json:"code,omitempty"`
	Install     installLines      `json:"install"`
	AgentURL    string            `json:"agent_url"`
	Fingerprint string            `json:"fingerprint"`
	Made        tokenView         `json:"made,omitzero"`
	Note        string            `json:"-"`
	Group       string            `json:"-"`
	Uses        string            `json:"-"` // as typed
	Days        int               `json:"-"`
	Lives       []int             `json:"-"` // days to choose from
	Most        int               `json:"-"`
	Problems    map[string]string `json:"problems,omitempty"`
}

// tokenLives are the days that a code can be made for, the usual one first; the last is the store's bound.
func tokenLives() []int { return []int{1, 7, 14, int(store.LongestCode / day)} }

// installLines is what is run on a terminal, with the console's address and fingerprint and the code.
type installLines struct {
	Linux   string `json:"linux"`
	Windows string `json:"windows"`
	GPO     string `json:"gpo"` // registry values that a group policy hands out; the code lies in a file
}

// linesFor writes the lines; without a code they hold a word in its place.
func (s *server) linesFor(code string) installLines {
	return installLines{
		Linux:   "sudo sekisho-agent install --server " + s.AgentURL + " --fingerprint " + s.Fingerprint + " --token " + code,
		Windows: "msiexec /i sekisho-agent_" + s.Version + "_windows_amd64.msi /qn SERVER=" + s.AgentURL + " FINGERPRINT=" + s.Fingerprint + " TOKEN=" + code,
		GPO: "HKLM\\SOFTWARE\\Policies\\Sekisho\n  Server       " + s.AgentURL + "\n  Fingerprint  " + s.Fingerprint +
			"\n  TokenFile    \\\\server\\share\\sekisho-code.txt",
	}
}

type tokenView struct {
	ID        int64     `json:"id"`
	Group     string    `json:"group"`
	Note      string    `json:"note"`
	By        string    `json:"by"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Uses      int       `json:"uses"`
	Used      int       `json:"used"`
	UsedAt    time.Time `json:"used_at,omitzero"`
	UsedBy    string    `json:"used_by,omitempty"`
	State     string    `json:"state"` // open, part, used, revoked, over
}

func (s *server) tokens(r *request) error {
	return s.showTokens(r, tokensPage{Uses: "1"}, http.StatusOK)
}

func (s *server) showTokens(r *request, body tokensPage, code int) error {
	list, err := s.DB.Tokens(r.Context())
	if err != nil {
		return err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return err
	}
	body.Groups, body.AgentURL, body.Fingerprint, body.Rows = groupViews(groups), s.AgentURL, s.Fingerprint, []tokenView{}
	body.Lives, body.Most = tokenLives(), store.MostUses
	body.Install = s.linesFor(cmp.Or(body.Code, s.pages[r.lang].words.say("tokens.code_here")))
	names := map[string]string{}
	for _, g := range groups {
		names[g.ID] = g.Name
	}
	for _, t := range list {
		body.Rows = append(body.Rows, tokenViewOf(t, names[t.Group], r.now))
	}
	if body.Code != "" && len(body.Rows) > 0 {
		body.Made = body.Rows[0]
	}
	return show(s, r, "tokens", body, title("tokens.title"), status(code))
}

func tokenViewOf(t store.Token, group string, now time.Time) tokenView {
	v := tokenView{t.ID, group, t.Note, t.By, t.CreatedAt, t.ExpiresAt, t.Uses, t.Used, t.UsedAt, t.UsedBy, "open"}
	switch {
	case t.Used >= t.Uses:
		v.State = "used"
	case !t.RevokedAt.IsZero():
		v.State = "revoked"
	case !t.ExpiresAt.After(now):
		v.State = "over"
	case t.Used > 0:
		v.State = "part"
	}
	return v
}

// Open says whether the code can still be used.
func (v tokenView) Open() bool { return v.State == "open" || v.State == "part" }

func (s *server) newToken(r *request) error {
	body := tokensPage{Note: cut(strings.TrimSpace(r.PostFormValue("note")), 200), Group: r.PostFormValue("group"), Problems: map[string]string{}}
	uses := body.read(r)
	if _, err := s.DB.GroupPolicy(r.Context(), body.Group, 0); err != nil {
		body.Problems["group"] = "tokens.group_missing"
	}
	if len(body.Problems) > 0 {
		return s.showTokens(r, body, http.StatusUnprocessableEntity)
	}
	body.Code = newCode()
	err := s.DB.PutToken(r.Context(), store.Token{
		Hash: CodeHash(body.Code), Group: body.Group, Note: body.Note, By: r.by(), CreatedAt: r.now, Uses: uses,
		ExpiresAt: r.now.Add(time.Duration(body.Days) * day),
	}, r.now)
	if err != nil {
		return err
	}
	body.Note, body.Uses, body.Days = "", "1", 0
	return s.showTokens(r, body, http.StatusCreated)
}

// read takes how often and how long; what is left out is once and a day.
func (b *tokensPage) read(r *request) (uses int) {
	b.Uses = cmp.Or(strings.TrimSpace(r.PostFormValue("uses")), "1")
	uses, err := strconv.Atoi(narrow(b.Uses))
	if err != nil || uses < 1 || uses > store.MostUses {
		b.Problems["uses"] = "tokens.uses_bad"
	}
	b.Days, err = strconv.Atoi(cmp.Or(r.PostFormValue("days"), strconv.Itoa(tokenLives()[0])))
	if err != nil || !slices.Contains(tokenLives(), b.Days) {
		b.Problems["days"] = "tokens.days_bad"
	}
	return uses
}

// tokenPage is one code with the terminals that came with it.
type tokenPage struct {
	Token tokenView      `json:"token"`
	Came  []terminalView `json:"terminals"`
}

func (s *server) token(r *request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	t, came, err := s.DB.Token(r.Context(), id)
	if err != nil {
		return err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return err
	}
	body := tokenPage{Token: tokenViewOf(t, t.Group, r.now), Came: []terminalView{}}
	for _, g := range groups {
		if g.ID == t.Group {
			body.Token.Group = g.Name
		}
	}
	for _, one := range came {
		body.Came = append(body.Came, s.terminalView(one, r.now))
	}
	return show(s, r, "token", body, title("tokens.title"))
}

// codeLetters leaves out what is misread aloud or on paper: 0 O, 1 I L, U.
const codeLetters = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

// newCode is 16 letters in four groups: 78 bits, enough for a code that lives a day and is tried over the network.
func newCode() string {
	var b strings.Builder
	for i := range 16 {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(codeLetters[randomBelow(len(codeLetters))])
	}
	return b.String()
}

// randomBelow draws without favouring small numbers.
func randomBelow(n int) int {
	var b [1]byte
	for {
		rand.Read(b[:])
		if int(b[0]) < 256-256%n {
			return int(b[0]) % n
		}
	}
}

// CodeHash is what the store keeps of an enrolment code.
func CodeHash(code string) [32]byte { return sha256.Sum256([]byte(code)) }

func (s *server) revokeToken(r *request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	if err := s.DB.RevokeToken(r.Context(), id, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, "/tokens")
}
