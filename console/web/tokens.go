package web

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
)

const tokenLife = day

// tokensPage lists enrolment codes; Code is shown once, right after it was made.
type tokensPage struct {
	Rows        []tokenView       `json:"tokens"`
	Groups      []groupView       `json:"groups"`
	Code        string            `json:"code,omitempty"`
	Command     string            `json:"command,omitempty"`
	AgentURL    string            `json:"agent_url"`
	Fingerprint string            `json:"fingerprint"`
	Note        string            `json:"-"`
	Group       string            `json:"-"`
	Problems    map[string]string `json:"problems,omitempty"`
}

type tokenView struct {
	ID        int64     `json:"id"`
	Group     string    `json:"group"`
	Note      string    `json:"note"`
	By        string    `json:"by"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
	UsedBy    string    `json:"used_by,omitempty"`
	State     string    `json:"state"` // open, used, revoked, over
}

func (s *server) tokens(r *request) error { return s.showTokens(r, tokensPage{}, http.StatusOK) }

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
	names := map[string]string{}
	for _, g := range groups {
		names[g.ID] = g.Name
	}
	for _, t := range list {
		body.Rows = append(body.Rows, tokenViewOf(t, names[t.Group], r.now))
	}
	return show(s, r, "tokens", body, title("tokens.title"), status(code))
}

func tokenViewOf(t store.Token, group string, now time.Time) tokenView {
	v := tokenView{t.ID, group, t.Note, t.By, t.CreatedAt, t.ExpiresAt, t.UsedAt, t.UsedBy, "open"}
	switch {
	case !t.UsedAt.IsZero():
		v.State = "used"
	case !t.RevokedAt.IsZero():
		v.State = "revoked"
	case !t.ExpiresAt.After(now):
		v.State = "over"
	}
	return v
}

func (s *server) newToken(r *request) error {
	body := tokensPage{Note: cut(strings.TrimSpace(r.PostFormValue("note")), 200), Group: r.PostFormValue("group")}
	if _, err := s.DB.GroupPolicy(r.Context(), body.Group, 0); err != nil {
		body.Problems = map[string]string{"group": "tokens.group_missing"}
		return s.showTokens(r, body, http.StatusUnprocessableEntity)
	}
	body.Code = newCode()
	err := s.DB.PutToken(r.Context(), store.Token{
		Hash: CodeHash(body.Code), Group: body.Group, Note: body.Note, By: r.by(), CreatedAt: r.now, ExpiresAt: r.now.Add(tokenLife),
	}, r.now)
	if err != nil {
		return err
	}
	body.Command = "sudo sekisho-agent install --server " + s.AgentURL + " --fingerprint " + s.Fingerprint + " --token " + body.Code
	body.Note = ""
	return s.showTokens(r, body, http.StatusCreated)
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
