// Package load plays many terminals against a real console, with the real protocol over real connections.
// It never measures and never judges; who uses it does.
package load

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sekisho/internal/wire"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// Terminal is one enrolled terminal with a connection of its own. Its methods may be called by several goroutines.
type Terminal struct {
	ID   string
	url  string
	http *http.Client
}

// Enrol makes a key, has it certified for a one-time code, and believes only the CA of that fingerprint (SHA-256, hex).
func Enrol(ctx context.Context, url, fingerprint, code, name string) (*Terminal, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	first := &Terminal{url: url, http: client(pinned(fingerprint))}
	defer first.Close()
	var answer wire.EnrollAnswer
	err = first.post(ctx, wire.PathEnroll, wire.EnrollRequest{Version: wire.Version, Token: code, CSR: csr, Name: name, OS: "linux", Arch: "amd64", Agent: "load"}, &answer)
	if err != nil {
		return nil, fmt.Errorf("cannot enrol %s: %w", name, err)
	}
	ca, err := x509.ParseCertificate(answer.CA)
	if err != nil {
		return nil, fmt.Errorf("cannot read the CA: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	own := tls.Certificate{Certificate: [][]byte{answer.Certificate}, PrivateKey: key}
	return &Terminal{ID: answer.Terminal, url: url, http: client(&tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{own},
	})}, nil
}

// pinned trusts a chain that holds the CA with this fingerprint, as an enrolling agent does.
func pinned(fingerprint string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		for _, c := range s.PeerCertificates {
			if sum := sha256.Sum256(c.Raw); hex.EncodeToString(sum[:]) == fingerprint {
				return nil
			}
		}
		return errors.New("cannot trust the console: another CA")
	}}
}

// client has one connection, as a terminal has.
func client(t *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: t, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1}}
}

// Close ends the connection.
func (t *Terminal) Close() { t.http.CloseIdleConnections() }

// Send posts one prepared batch and gives what the console says is stored.
func (t *Terminal) Send(ctx context.Context, b Batch) (acked uint64, err error) {
	var answer wire.EventsAnswer
	err = t.postRaw(ctx, wire.PathEvents, b.Body, &answer)
	return answer.Acked, err
}

// Report posts a status, as a terminal does when it has connected.
func (t *Terminal) Report(ctx context.Context, s wire.Status) error {
	return t.post(ctx, wire.PathEvents, wire.EventsRequest{Version: wire.Version, Outbox: "load-" + t.ID, Status: &s}, nil)
}

// Policy asks for the policy; have is the entity tag in force, "" none. It hangs as long as there is no other.
func (t *Terminal) Policy(ctx context.Context, have string) (tag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+wire.PathPolicy, nil)
	if err != nil {
		return "", err
	}
	if have != "" {
		req.Header.Set("If-None-Match", have)
	}
	answer, err := t.http.Do(req)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)); err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNotModified {
		return "", fmt.Errorf("cannot have the policy: %s", answer.Status)
	}
	if answer.ProtoMajor != 2 {
		return "", fmt.Errorf("cannot have the policy by HTTP/2: the console speaks %s", answer.Proto)
	}
	return answer.Header.Get("ETag"), nil
}

// Follow asks for the policy again and again until ctx ends; asked is called before every request but the first.
func (t *Terminal) Follow(ctx context.Context, asked func()) error {
	tag, err := t.Policy(ctx, "")
	for err == nil {
		asked()
		tag, err = t.Policy(ctx, tag)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (t *Terminal) post(ctx context.Context, path string, what, answer any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return t.postRaw(ctx, path, body, answer)
}

func (t *Terminal) postRaw(ctx context.Context, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return err
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("cannot post: %s: %s", answer.Status, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}
