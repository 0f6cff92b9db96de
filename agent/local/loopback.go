package local

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sekisho/internal/durable"
)

// The channel where a system has no sockets in the file system that everyone can use: a port of the loopback, and a file
// that says which. Who may read the file may ask. Before the first question both sides show that they are who they
// should be: the asker says the file's token and a number of his own, the agent signs that number with the key whose
// public half is in the file. So a program that took a dead agent's port cannot answer in its place.

// address is the content of the file. It is new with every start of the agent.
type address struct {
	Port  int    `json:"port"`
	Token string `json:"token"`
	Key   string `json:"key"` // ed25519, public
}

const (
	maxAddress = 4 << 10
	secretSize = 32
	greeting   = 2*2*secretSize + 1 // token and number in hexadecimal, end of line
	proofSize  = 2*ed25519.SignatureSize + 1
	// purpose keeps a signature from meaning something elsewhere.
	purpose = "sekisho local channel 1:"
)

var (
	errStranger = errors.New("who asks does not know the token")
	errImpostor = errors.New("it is not the agent that answers at its port")
)

// listenLoopback opens a free port and writes the file, whole or not at all.
func listenLoopback(path string) (net.Listener, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for local questions: %w", err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot listen for local questions: %w", err)
	}
	d := &door{Listener: l, token: secret(), key: private}
	a := address{l.Addr().(*net.TCPAddr).Port, d.token, hex.EncodeToString(public)}
	if err := a.write(path); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot listen for local questions: %w", err)
	}
	return d, nil
}

func secret() string {
	b := make([]byte, secretSize)
	_, _ = rand.Read(b) // never fails: https://pkg.go.dev/crypto/rand#Read
	return hex.EncodeToString(b)
}

func (a address) write(path string) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return durable.WriteFile(path, raw, 0o644)
}

// door is a port at which nothing is heard that does not begin with the token.
type door struct {
	net.Listener
	token string
	key   ed25519.PrivateKey
}

func (d *door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &visitor{Conn: conn, door: d}, nil
}

// visitor is looked at with the first Read, within its time limit and beside the others.
type visitor struct {
	net.Conn
	door   *door
	looked bool
}

func (v *visitor) Read(b []byte) (int, error) {
	if !v.looked {
		if err := v.look(); err != nil {
			return 0, err
		}
		v.looked = true
	}
	return v.Conn.Read(b)
}

func (v *visitor) look() error {
	hello := make([]byte, greeting)
	if _, err := io.ReadFull(v.Conn, hello); err != nil {
		return err
	}
	token, number := hello[:2*secretSize], hello[2*secretSize:greeting-1]
	if subtle.ConstantTimeCompare(token, []byte(v.door.token)) != 1 {
		return errStranger
	}
	proof := ed25519.Sign(v.door.key, append([]byte(purpose), number...))
	_, err := v.Conn.Write([]byte(hex.EncodeToString(proof) + "\n"))
	return err
}

// dialLoopback reaches the agent that wrote the file, and nobody else.
func dialLoopback(ctx context.Context, path string) (net.Conn, error) {
	a, err := readAddress(path)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port)))
	if err != nil {
		return nil, err
	}
	if err := a.greet(ctx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (a address) greet(ctx context.Context, conn net.Conn) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(talkLimit)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	number := secret()
	if _, err := conn.Write([]byte(a.Token + number + "\n")); err != nil {
		return err
	}
	proof := make([]byte, proofSize)
	if _, err := io.ReadFull(conn, proof); err != nil {
		return fmt.Errorf("%w: %w", errImpostor, err)
	}
	signature, err := hex.DecodeString(string(proof[:proofSize-1]))
	if err != nil || !ed25519.Verify(a.public(), []byte(purpose+number), signature) {
		return errImpostor
	}
	return nil
}

// public is the key that parseAddress has checked.
func (a address) public() ed25519.PublicKey {
	key, _ := hex.DecodeString(a.Key)
	return key
}

func readAddress(path string) (address, error) {
	info, err := os.Stat(path)
	if err != nil {
		return address{}, err
	}
	if info.Size() > maxAddress {
		return address{}, fmt.Errorf("cannot read %s: it is too long", path)
	}
	raw, err := durable.ReadFile(path)
	if err != nil {
		return address{}, err
	}
	a, err := parseAddress(raw)
	if err != nil {
		return a, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return a, nil
}

func parseAddress(raw []byte) (address, error) {
	var a address
	if len(raw) > maxAddress {
		return a, errors.New("it is too long")
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, err
	}
	token, err := hex.DecodeString(a.Token)
	key, err2 := hex.DecodeString(a.Key)
	if err != nil || err2 != nil || len(token) != secretSize || len(key) != ed25519.PublicKeySize || a.Port < 1 || a.Port > 65535 {
		return a, errors.New("it does not say how the agent is reached")
	}
	return a, nil
}
