package link

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sekisho/internal/wire"
)

// Bounds and times of every call.
const (
	maxAnswer   = 1 << 20         // bytes of an answer that is not a policy
	maxTime     = 221845392000000 // Unix ms of the year 9000: a later time could not be written into any record
	callTimeout = 2 * time.Minute // of a call that does not hang
	pingAfter   = 5 * time.Minute // silence after which HTTP/2 asks whether the console is still there
	zipFrom     = 1 << 10         // bytes from which a body is worth compressing
)

// caller makes calls to one console over one connection.
type caller struct {
	base      string
	http      *http.Client
	onTime    func(time.Time)
	onVersion func(int) // protocol version of who answers
	onWay     func(Way) // between which addresses it answered
}

// newCaller makes a client that knows no proxy, no other CA and no transparent decompression
// (so that an answer cannot unpack into more than was read).
func newCaller(base string, conf *tls.Config) *caller {
	conf.NextProtos = []string{"h2", "http/1.1"}
	t := &http.Transport{
		TLSClientConfig: conf, ForceAttemptHTTP2: true, DisableCompression: true,
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Minute, Count: 3}}).DialContext,
		TLSHandshakeTimeout: 20 * time.Second, MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 1,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: 20 * time.Second},
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a console does not send us elsewhere
	return &caller{base: base, http: &http.Client{Transport: t, CheckRedirect: stay}, onTime: func(time.Time) {}, onVersion: func(int) {}, onWay: func(Way) {}}
}

func (c *caller) close() { c.http.CloseIdleConnections() }

// post sends v and reads the answer into out.
func (c *caller) post(ctx context.Context, path string, v, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, zipped, err := encode(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if zipped {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := c.do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := readBounded(res.Body, maxAnswer)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return refusalOf(res, raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("cannot read the console's answer: %w", err)
	}
	return nil
}

// Way is between which addresses the console answered; neither is valid before it did.
type Way struct{ Local, Remote netip.Addr }

func wayOf(c net.Conn) Way { return Way{addressOf(c.LocalAddr()), addressOf(c.RemoteAddr())} }

func addressOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// do makes a call and hands the console's clock on.
func (c *caller) do(req *http.Request) (*http.Response, error) {
	req.Header.Set(wire.HeaderVersion, strconv.Itoa(wire.Version))
	var way atomic.Pointer[Way]
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { w := wayOf(i.Conn); way.Store(&w) }}
	res, err := c.http.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, &unreached{explain(err)}
	}
	if w := way.Load(); w != nil {
		c.onWay(*w)
	}
	if ms, err := strconv.ParseInt(res.Header.Get(wire.HeaderTime), 10, 64); err == nil && ms > 0 && ms < maxTime {
		c.onTime(time.UnixMilli(ms))
	}
	if v, err := strconv.Atoi(res.Header.Get(wire.HeaderVersion)); err == nil && v > 0 {
		c.onVersion(v)
	}
	return res, nil
}

// encode gives the JSON of v, compressed when that pays. Bodies of records pass byte for byte: they are in the form
// that this encoding gives them.
func encode(v any) (body []byte, zipped bool, err error) {
	raw, err := json.Marshal(v)
	if err != nil || len(raw) <= zipFrom {
		return raw, false, err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, false, err
	}
	if _, err = z.Write(raw); err == nil {
		err = z.Close()
	}
	return b.Bytes(), true, err
}

func readBounded(r io.Reader, most int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the console's answer: %w", err)
	}
	if int64(len(raw)) > most {
		return nil, fmt.Errorf("cannot read the console's answer: more than %d bytes", most)
	}
	return raw, nil
}

func parseURL(s string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("cannot use console address %q: it must look like https://console.example:8444", s)
	}
	return "https://" + u.Host, nil
}

// hostOf is the name or address in a URL that parseURL gave.
func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base // no certificate carries it
	}
	return u.Hostname()
}

// unreached says that no answer came, whatever the reason.
type unreached struct{ error }

func (e *unreached) Unwrap() error { return e.error }

// hinted is an error with what to do about it.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() + " (" + e.hint + ")" }
func (e *hinted) Unwrap() error { return e.err }

// refusal is an answer that is not the one asked for.
type refusal struct {
	status int
	after  time.Duration // the console asks to wait so long
	words  wire.ErrorAnswer
}

func (r *refusal) Error() string {
	s := fmt.Sprintf("the console answered %d", r.status)
	if r.words.Error != "" {
		s += ": " + r.words.Error
	}
	if r.words.Hint != "" {
		s += " (" + r.words.Hint + ")"
	}
	return s
}

func refusalOf(res *http.Response, raw []byte) error {
	r := &refusal{status: res.StatusCode}
	if json.Unmarshal(raw, &r.words) != nil { // not our console's words
		r.words = wire.ErrorAnswer{Hint: "is this the terminals' address of the console?"}
	}
	r.words.Error, r.words.Hint = cut(r.words.Error), cut(r.words.Hint)
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		r.after = time.Duration(min(s, 3600)) * time.Second
	}
	return r
}

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 500)], "") }

// explain adds what to do to the faults that people meet.
func explain(err error) error {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &hinted{err, "a certificate is outside its time: check this terminal's clock first, then the console's certificate"}
	case errors.As(err, &host):
		return &hinted{err, "the console's certificate does not carry this name: use the name it was set up with"}
	case errors.As(err, &authority):
		return &hinted{err, "the server at this address is not the console this terminal was enrolled at"}
	}
	return err
}
