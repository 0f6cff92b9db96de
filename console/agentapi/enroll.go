package agentapi

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	"sekisho/console/store"
	"sekisho/internal/wire"
)

// Bounds of a first contact, which anybody on the network can make.
const (
	maxEnroll   = 16 << 10
	maxName     = 64
	enrollReads = 20 * time.Second
)

// enroll gives a terminal its identity for a one-time code. Only the hash of the code is looked up, so the time
// that the look takes tells nothing about another code.
func (a *API) enroll(w http.ResponseWriter, r *http.Request) {
	now, from := a.Now(), address(r)
	if !a.guesses.open(from, now) {
		w.Header().Set("Retry-After", "600")
		refuse(w, http.StatusTooManyRequests, "cannot enrol: too many wrong codes", "wait ten minutes")
		return
	}
	var req wire.EnrollRequest
	if !a.readSmall(w, r, &req) {
		return
	}
	key, err := keyOf(req.CSR)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error(), "the agent must send a signed request for an ECDSA or Ed25519 key")
		return
	}
	code := sha256.Sum256([]byte(strings.TrimSpace(req.Token)))
	if err := a.DB.TokenUsable(r.Context(), code, now); err != nil {
		a.refuseCode(w, from, now, err)
		return
	}
	terminal := store.Terminal{ID: rand.Text()[:16], Name: cleanName(req.Name), OS: cleanName(req.OS), Arch: cleanName(req.Arch), Agent: cleanName(req.Agent)}
	cert, kept, err := a.CA.issueTerminal(key, terminal.ID, now)
	if err != nil {
		a.fail(w, terminal.ID, err)
		return
	}
	if err := a.DB.Enroll(r.Context(), code, terminal, kept, now); err != nil {
		a.refuseCode(w, from, now, err)
		return
	}
	a.Log.Info().Str("terminal", terminal.ID).Str("name", terminal.Name).Str("address", from).Msg("terminal enrolled")
	a.answer(w, wire.EnrollAnswer{Terminal: terminal.ID, Certificate: cert, CA: a.CA.cert.Raw, PolicyKeys: a.PolicyKeys})
}

// refuseCode does not tell an unknown code from a used one: both are a guess.
func (a *API) refuseCode(w http.ResponseWriter, from string, now time.Time, err error) {
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		a.fail(w, "", err)
		return
	}
	a.guesses.count(from, now)
	a.Log.Warn().Str("address", from).Err(err).Msg("enrolment refused")
	refuse(w, http.StatusForbidden, "cannot enrol: the code is unknown, used or over", "make a new code at the console")
}

// readSmall reads a small JSON body, or refuses it.
func (a *API) readSmall(w http.ResponseWriter, r *http.Request, into any) bool {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(enrollReads)) // a stream without deadlines still has its bound
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEnroll)).Decode(into)
	if err != nil {
		refuse(w, http.StatusBadRequest, "cannot read the request", "is the agent newer than this console?")
	}
	return err == nil
}

// keyOf checks that who asks has the key that the certificate shall be for. RSA is refused: verifying it costs
// the terminal nothing and the console much.
func keyOf(csr []byte) (any, error) {
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, errors.New("cannot read the certificate request")
	}
	switch req.PublicKey.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, fmt.Errorf("cannot certify a key of this kind: %s", req.PublicKeyAlgorithm)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, errors.New("cannot accept the certificate request: its signature is wrong")
	}
	return req.PublicKey, nil
}

// cleanName keeps what a page can show of a terminal's own words.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), 4*maxName)], ""))
	if r := []rune(strings.TrimSpace(s)); len(r) > maxName {
		return string(r[:maxName])
	} else if len(r) > 0 {
		return string(r)
	}
	return "?"
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// renew gives a new certificate over the old one's connection.
func (a *API) renew(w http.ResponseWriter, r *http.Request, terminal string) {
	now := a.Now()
	if !a.renews.open(terminal, now) {
		w.Header().Set("Retry-After", "3600")
		refuse(w, http.StatusTooManyRequests, "cannot renew: too many certificates asked for", "wait an hour")
		return
	}
	a.renews.count(terminal, now)
	var req wire.RenewRequest
	if !a.readSmall(w, r, &req) {
		return
	}
	key, err := keyOf(req.CSR)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error(), "the agent must send a signed request for an ECDSA or Ed25519 key")
		return
	}
	cert, kept, err := a.CA.issueTerminal(key, terminal, now)
	if err == nil {
		err = a.DB.AddCertificate(r.Context(), terminal, kept, now)
	}
	if err != nil {
		a.fail(w, terminal, err)
		return
	}
	a.answer(w, wire.RenewAnswer{Certificate: cert})
}
