package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

//go:embed locale/*.json
var locales embed.FS

// words is the catalogue of one language: key -> text. {0} stands for the first value,
// {0:item|items} for the word that fits it in a language with plurals.
type words map[string]string

func loadWords(lang string) (words, error) {
	b, err := locales.ReadFile("locale/" + lang + ".json")
	if err != nil {
		return nil, err
	}
	w := words{}
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("cannot read the words of %s: %w", lang, err)
	}
	return w, nil
}

var placeholder = regexp.MustCompile(`\{(\d)(?::([^|}]*)\|([^}]*))?\}`)

// say gives the text of a key; a key that is missing shows itself, so that nobody reads an empty button.
func (w words) say(key string, args ...any) string {
	text, ok := w[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		p := placeholder.FindStringSubmatch(found)
		n := number(p[1])
		if n >= len(args) {
			return found
		}
		if !strings.Contains(found, ":") {
			return fmt.Sprint(args[n])
		}
		if fmt.Sprint(args[n]) == "1" {
			return p[2]
		}
		return p[3]
	})
}

// word gives the text for a stable word of the wire or the store; one that is new to this console shows itself.
func (w words) word(family string, code any) string {
	c := fmt.Sprint(code)
	if text, ok := w[family+"."+c]; ok {
		return text
	}
	return c
}

const languageCookie = "sekisho-lang"

// chooseLanguage: what the link says, what was chosen before, the account's, the browser's, Japanese.
func chooseLanguage(r *request) string {
	if asked := known(r.URL.Query().Get("lang")); asked != "" {
		http.SetCookie(r.w, languageChoice(asked))
		return asked
	}
	if c, err := r.Cookie(languageCookie); err == nil && known(c.Value) != "" {
		return c.Value
	}
	if l := known(r.session.Account.Language); l != "" {
		return l
	}
	if strings.HasPrefix(r.Header.Get("Accept-Language"), "en") {
		return "en"
	}
	return "ja"
}

func languageChoice(lang string) *http.Cookie {
	return &http.Cookie{Name: languageCookie, Value: lang, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 365 * 24 * 3600}
}

func known(lang string) string {
	if lang == "ja" || lang == "en" {
		return lang
	}
	return ""
}

// size writes bytes as people read them on a medium: 32 GB is 32 × 10^9.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if v >= 100 || i == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + units[i]
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + " " + units[i]
}
