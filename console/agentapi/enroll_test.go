package agentapi

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"sekisho/internal/wire"
)

func TestATerminalEnrolsOnceWithACode(t *testing.T) {
	c := start(t)
	code := c.code(t, time.Hour)
	_, csr := request(t)
	var a wire.EnrollAnswer
	req := wire.EnrollRequest{Token: " " + code + "\n", CSR: csr, Name: "総務\x1b[31m-03" + strings.Repeat("長", 200)}
	if status := post(t, c.client(), c.url+wire.PathEnroll, req, &a); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	cert, err := x509.ParseCertificate(a.Certificate)
	must(t, err)
	if cert.Subject.CommonName != a.Terminal || len(a.PolicyKeys) != 1 || string(a.CA) != string(c.ca.cert.Raw) {
		t.Fatalf("answer: %+v", a)
	}
	got, err := c.db.Terminal(t.Context(), a.Terminal)
	must(t, err)
	if !strings.HasPrefix(got.Name, "総務[31m-03長") || len([]rune(got.Name)) > maxName || got.Revision != 1 {
		t.Fatalf("terminal: %+v", got)
	}
	var e wire.ErrorAnswer
	if status := post(t, c.client(), c.url+wire.PathEnroll, req, &e); status != http.StatusForbidden || e.Hint == "" {
		t.Fatalf("a used code answered %d %+v", status, e)
	}
}

func TestACodeThatIsUnknownOrOverIsRefusedAndGuessingEnds(t *testing.T) {
	c := start(t)
	over := c.code(t, time.Minute)
	good := c.code(t, time.Hour)
	c.clock.advance(2 * time.Minute)
	_, csr := request(t)
	var e wire.ErrorAnswer
	for n, code := range []string{over, "", "x", strings.Repeat("y", 100), "a", "b", "c", "d", "e", "f"} {
		if status := post(t, c.client(), c.url+wire.PathEnroll, wire.EnrollRequest{Token: code, CSR: csr}, &e); status != http.StatusForbidden {
			t.Fatalf("guess %d answered %d", n, status)
		}
	}
	if status := post(t, c.client(), c.url+wire.PathEnroll, wire.EnrollRequest{Token: good, CSR: csr}, &e); status != http.StatusTooManyRequests {
		t.Fatalf("the eleventh try answered %d", status)
	}
	c.clock.advance(11 * time.Minute)
	if status := post(t, c.client(), c.url+wire.PathEnroll, wire.EnrollRequest{Token: good, CSR: csr}, &e); status != http.StatusOK {
		t.Fatalf("after the wait the good code answered %d %+v", status, e)
	}
}

func TestABadCertificateRequestDoesNotUseTheCodeUp(t *testing.T) {
	c := start(t)
	code := c.code(t, time.Hour)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	rsaRequest, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, weak)
	must(t, err)
	_, csr := request(t)
	broken := append([]byte(nil), csr...)
	broken[len(broken)-1] ^= 1
	var e wire.ErrorAnswer
	for name, bad := range map[string][]byte{"none": nil, "noise": []byte("noise"), "rsa": rsaRequest, "signature": broken} {
		if status := post(t, c.client(), c.url+wire.PathEnroll, wire.EnrollRequest{Token: code, CSR: bad}, &e); status != http.StatusBadRequest {
			t.Errorf("%s answered %d", name, status)
		}
	}
	if status := post(t, c.client(), c.url+wire.PathEnroll, wire.EnrollRequest{Token: code, CSR: csr}, &e); status != http.StatusOK {
		t.Fatalf("the code was used up: %d %+v", status, e)
	}
}

func TestNobodyWithoutOurCertificateIsAnswered(t *testing.T) {
	c := start(t)
	var e wire.ErrorAnswer
	for _, path := range []string{wire.PathEvents, wire.PathRenew} {
		if status := post(t, c.client(), c.url+path, struct{}{}, &e); status != http.StatusUnauthorized {
			t.Errorf("%s without certificate answered %d", path, status)
		}
	}
	other := start(t).enrol(t) // of another console's CA
	certs := other.Transport.(*http.Transport).TLSClientConfig.Certificates
	if res, err := c.client(certs...).Get(c.url + wire.PathPolicy); err == nil {
		t.Errorf("another CA's certificate was answered %d", res.StatusCode)
		res.Body.Close()
	}
}

func TestARetiredTerminalIsRefusedAtOnce(t *testing.T) {
	c := start(t)
	terminal := c.enrol(t)
	must(t, c.db.RetireTerminal(t.Context(), terminal.id, "sold", "admin", c.clock.now()))
	var e wire.ErrorAnswer
	j := journal{outbox: "journal-1"}
	if status := post(t, terminal.Client, c.url+wire.PathEvents, j.batch(t, 1), &e); status != http.StatusForbidden || e.Hint == "" {
		t.Fatalf("answered %d %+v", status, e)
	}
}

func TestACertificateIsRenewedAndTheOldOneEndsByItself(t *testing.T) {
	c := start(t)
	old := c.enrol(t)
	key, csr := request(t)
	c.clock.advance(60 * 24 * time.Hour)
	var a wire.RenewAnswer
	if status := post(t, old.Client, c.url+wire.PathRenew, wire.RenewRequest{CSR: csr}, &a); status != http.StatusOK {
		t.Fatalf("renewal answered %d", status)
	}
	c.clock.advance(31 * 24 * time.Hour)
	j := journal{outbox: "journal-1"}
	req := j.batch(t, 1)
	var e wire.ErrorAnswer
	if status := post(t, old.Client, c.url+wire.PathEvents, req, &e); status != http.StatusUnauthorized {
		t.Fatalf("the ended certificate answered %d", status)
	}
	renewed := c.client(tls.Certificate{Certificate: [][]byte{a.Certificate}, PrivateKey: key})
	var ack wire.EventsAnswer
	if status := post(t, renewed, c.url+wire.PathEvents, req, &ack); status != http.StatusOK || ack.Acked != 1 {
		t.Fatalf("the new certificate answered %d %+v", status, ack)
	}
}
