package web

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/internal/seal"
)

// References keeps the text of what checks are held against, and gives its hash.
type References interface {
	Put(text []byte) (hash string, err error)
}

// imports is where references are looked at and brought.
const imports = "/health/references"

// Bounds of what is brought; a baseline is a table of a few thousand lines.
const (
	maxReference = 32 << 20
	maxBaseline  = 4 << 20
	maxSupport   = 1 << 20 // as terminals read it
)

// settingReferenceKeys holds the public keys whose owners this office trusts for references: base64, commas between.
const settingReferenceKeys = "reference_keys"

type referencesPage struct {
	Now      []referenceView   `json:"references"`
	Past     []referenceView   `json:"past"`
	Patterns []patternView     `json:"patterns"` // the newest of each product on this LAN
	Keys     []string          `json:"keys"`     // ids
	Form     map[string]string `json:"-"`
	Problems map[string]string `json:"problems,omitempty"`
	Raw      string            `json:"raw,omitempty"`
	Done     string            `json:"done,omitempty"`
}

type referenceView struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	Product  string    `json:"product,omitempty"`
	Month    string    `json:"month,omitempty"`
	MadeAt   time.Time `json:"made_at"`
	Old      bool      `json:"old"`
	SHA256   string    `json:"sha256,omitempty"`
	Size     int64     `json:"size"`
	SignedBy string    `json:"signed_by,omitempty"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	EndedBy  string    `json:"ended_by,omitempty"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
}

// patternView is the newest pattern of a product, and whether it is the reference already.
type patternView struct {
	Probe    string    `json:"probe,omitempty"` // "" when no definition has this name
	Product  string    `json:"product"`
	Made     time.Time `json:"made"`
	Terminal string    `json:"terminal"`
	InUse    bool      `json:"in_use"`
}

// referenceAges is how old each kind may be before it is shown as old; the checks have limits of their own.
var referenceAges = map[string]time.Duration{policy.ReferenceBaseline: 35 * day, policy.ReferenceAdvisory: week, policy.ReferencePatterns: week, policy.ReferenceSupport: 365 * day}

func referenceOf(r store.Reference, now time.Time) referenceView {
	return referenceView{ID: r.ID, Name: r.Name, Kind: r.Kind, Product: r.Product, Month: r.Month, MadeAt: r.MadeAt, Old: now.Sub(r.MadeAt) > referenceAges[r.Kind],
		SHA256: r.SHA256, Size: r.Size, SignedBy: r.SignedBy, By: r.By, At: r.At, EndedBy: r.EndedBy, EndedAt: r.EndedAt}
}

func (s *server) references(r *request) error {
	body := referencesPage{}
	if done := r.URL.Query().Get("done"); slices.Contains([]string{"added", "ended", "adopted", "keys"}, done) {
		body.Done = "health.refs.done." + done
	}
	return s.showReferences(r, body, http.StatusOK)
}

func (s *server) showReferences(r *request, body referencesPage, code int) error {
	now, past, err := s.DB.References(r.Context())
	if err != nil {
		return err
	}
	body.Now, body.Past, body.Keys = []referenceView{}, []referenceView{}, []string{}
	for _, one := range now {
		body.Now = append(body.Now, referenceOf(one, r.now))
	}
	for _, one := range past {
		body.Past = append(body.Past, referenceOf(one, r.now))
	}
	if body.Patterns, err = s.newestPatterns(r, now); err != nil {
		return err
	}
	keys, err := s.referenceKeys(r)
	if err != nil {
		return err
	}
	for id := range keys {
		body.Keys = append(body.Keys, id)
	}
	slices.Sort(body.Keys)
	if body.Form == nil {
		body.Form = map[string]string{"kind": policy.ReferenceBaseline}
	}
	return show(s, r, "health-references", body, title("health.refs.title"), section("terminals"), status(code))
}

func (s *server) referenceKeys(r *request) (map[string][]byte, error) {
	text, err := s.DB.Setting(r.Context(), settingReferenceKeys)
	if errors.Is(err, store.ErrNotFound) {
		return map[string][]byte{}, nil
	}
	if err != nil {
		return nil, err
	}
	return seal.ReadKeys(text)
}

// newestPatterns brings what terminals read together with the definitions of products: a label is a product's name, and its version.
func (s *server) newestPatterns(r *request, have []store.Reference) ([]patternView, error) {
	seen, err := s.DB.NewestPatterns(r.Context(), r.now)
	if err != nil {
		return nil, err
	}
	groups, err := s.DB.Groups(r.Context())
	if err != nil {
		return nil, err
	}
	list := []patternView{}
	for _, one := range seen {
		v := patternView{Product: one.Product, Made: one.Made, Terminal: one.TerminalName}
		v.Probe, v.Product = probeOf(groups, one.Product)
		i := slices.IndexFunc(list, func(o patternView) bool { return o.Product == v.Product })
		switch {
		case i < 0:
			list = append(list, v)
		case v.Made.After(list[i].Made):
			list[i] = v
		}
	}
	for i := range list {
		list[i].InUse = slices.ContainsFunc(have, func(h store.Reference) bool {
			return h.Kind == policy.ReferencePatterns && h.Product == list[i].Probe && !h.MadeAt.Before(list[i].Made)
		})
	}
	return list, nil
}

// probeOf finds the definition whose product's name a label begins with; the longest name counts.
func probeOf(groups []store.Group, label string) (id, product string) {
	product = label
	best := 0
	for _, g := range groups {
		if g.Health == nil {
			continue
		}
		for _, b := range g.Health.Probes {
			if (label == b.Product || strings.HasPrefix(label, b.Product+" ")) && len(b.Product) > best {
				best, id, product = len(b.Product), b.ID, b.Product
			}
		}
	}
	return id, product
}

// addReference takes a file whole or not at all: too large, not signed by whom it says, for another month, it changes nothing.
func (s *server) addReference(r *request) error {
	limits := http.NewResponseController(r.w)
	limits.SetReadDeadline(time.Now().Add(uploadLimit))
	limits.SetWriteDeadline(time.Now().Add(uploadLimit + time.Minute))
	form, text, err := readImport(r)
	if err != nil {
		return err
	}
	keys, err := s.referenceKeys(r)
	if err != nil {
		return err
	}
	ref, content, problem := judgeImport(form, text, keys, s.pages[r.lang].cal, r.now)
	if problem == nil {
		problem, err = s.older(r, ref)
	}
	if err != nil {
		return err
	}
	if problem != nil {
		body := referencesPage{Form: form, Problems: map[string]string{problem.field: s.pages[r.lang].words.say("health.refs.refused."+problem.word, problem.args...)}, Raw: problem.raw}
		return s.showReferences(r, body, http.StatusUnprocessableEntity)
	}
	if ref.SHA256, err = s.References.Put(content); err != nil {
		return err
	}
	ref.By = r.by()
	if err := s.DB.PutReference(r.Context(), ref, r.now); err != nil {
		return err
	}
	return seeOther(r, imports+"?done=added")
}

// readImport reads the fields and the file. A file that is too large is read no further, and is told by its length.
func readImport(r *request) (form map[string]string, text []byte, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, nil, errBadForm
	}
	form = map[string]string{}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return form, text, nil
		}
		if err != nil {
			return form, text, errBadForm
		}
		if part.FormName() == "file" {
			if text, err = io.ReadAll(io.LimitReader(part, maxReference+1)); err != nil {
				return form, nil, errBadForm
			}
			if len(text) > maxReference {
				return form, text, nil
			}
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, 4<<10))
		if err != nil || len(form) > 20 {
			return form, nil, errBadForm
		}
		form[part.FormName()] = strings.TrimSpace(string(value))
	}
}

// older says whether what is in use under the same name is newer: going back needs the newer one to be removed first.
func (s *server) older(r *request, ref store.Reference) (*importProblem, error) {
	now, _, err := s.DB.References(r.Context())
	for _, have := range now {
		if have.Kind == ref.Kind && have.Name == ref.Name && have.Product == ref.Product && have.MadeAt.After(ref.MadeAt) {
			return &importProblem{field: "file", word: "older", args: []any{s.pages[r.lang].cal.short(have.MadeAt)}}, err
		}
	}
	return nil, err
}

// adoptPattern makes the newest pattern that terminals of this LAN have the reference of its product.
func (s *server) adoptPattern(r *request) error {
	seen, err := s.newestPatterns(r, nil)
	if err != nil {
		return err
	}
	probe := r.PostFormValue("probe")
	i := slices.IndexFunc(seen, func(v patternView) bool { return v.Probe == probe && probe != "" })
	if i < 0 {
		return store.ErrNotFound
	}
	name := s.pages["ja"].words.say("health.refs.pattern_name", seen[i].Product)
	ref := store.Reference{Reference: policy.Reference{Name: name, Kind: policy.ReferencePatterns, Product: probe, MadeAt: seen[i].Made}, By: r.by()}
	if err := s.DB.PutReference(r.Context(), ref, r.now); err != nil {
		return err
	}
	return seeOther(r, imports+"?done=adopted")
}

func (s *server) endReference(r *request) error {
	id, err := strconv.ParseInt(r.PathValue("reference"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	if err := s.DB.EndReference(r.Context(), id, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, imports+"?done=ended")
}

// setReferenceKeys says whose signatures count. Nothing typed is nobody's.
func (s *server) setReferenceKeys(r *request) error {
	text := strings.Join(strings.Fields(strings.ReplaceAll(r.PostFormValue("keys"), ",", " ")), ",")
	if _, err := seal.ReadKeys(text); err != nil || len(text) > 4<<10 {
		body := referencesPage{Form: map[string]string{"kind": policy.ReferenceBaseline, "keys": r.PostFormValue("keys")}, Problems: map[string]string{"keys": s.pages[r.lang].words.say("health.refs.bad_keys")}}
		return s.showReferences(r, body, http.StatusUnprocessableEntity)
	}
	if err := s.DB.PutSetting(r.Context(), settingReferenceKeys, text, r.by(), r.now); err != nil {
		return err
	}
	return seeOther(r, imports+"?done=keys")
}
