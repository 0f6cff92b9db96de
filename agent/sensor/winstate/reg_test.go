package winstate

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"sekisho/internal/policy"
)

var noon = time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC) // a Thursday, noon in Japan

// hive is a registry as a .reg file has it: keys below HKLM and HKU, values with their type.
type hive map[string]map[string]regValue

type regValue struct {
	name string
	kind uint32
	data []byte
}

var regRoots = map[string]string{"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_USERS": "HKU"}

// readReg reads what `reg export` writes (Microsoft, "How to add, modify, or delete registry subkeys and values by using a .reg file").
func readReg(text string, into hive) error {
	text = strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), ",\\\n  ", ",")
	key := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, ";") || strings.HasPrefix(line, "Windows Registry Editor"):
		case strings.HasPrefix(line, "["):
			root, rest, _ := strings.Cut(strings.Trim(line, "[]"), `\`)
			if regRoots[root] == "" {
				return fmt.Errorf("line %d: no root: %s", i+1, line)
			}
			key = strings.ToLower(regRoots[root] + `\` + rest)
			if into[key] == nil {
				into[key] = map[string]regValue{}
			}
		default:
			v, err := readValue(line)
			if err != nil {
				return fmt.Errorf("line %d: %w", i+1, err)
			}
			into[key][strings.ToLower(v.name)] = v
		}
	}
	return nil
}

func readValue(line string) (regValue, error) {
	name, data, ok := strings.Cut(line, "=")
	if !ok {
		return regValue{}, fmt.Errorf("no value: %s", line)
	}
	v := regValue{name: strings.Trim(name, `"`)}
	kind, rest, typed := strings.Cut(data, ":")
	switch {
	case strings.HasPrefix(data, `"`):
		v.kind, v.data = regSZ, wide(strings.ReplaceAll(strings.ReplaceAll(strings.Trim(data, `"`), `\\`, `\`), `\"`, `"`))
	case kind == "dword" && typed:
		n, err := strconv.ParseUint(rest, 16, 32)
		v.kind, v.data = regDWORD, binary.LittleEndian.AppendUint32(nil, uint32(n))
		return v, err
	case strings.HasPrefix(kind, "hex") && typed:
		v.kind = regBinary
		if t := strings.Trim(kind, "hex()"); t != "" {
			n, err := strconv.ParseUint(t, 16, 32)
			if err != nil {
				return v, err
			}
			v.kind = uint32(n)
		}
		b, err := hex.DecodeString(strings.ReplaceAll(rest, ",", ""))
		v.data = b
		return v, err
	default:
		return v, fmt.Errorf("no type: %s", line)
	}
	return v, nil
}

func wide(s string) []byte {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// path gives a key in the view of 32 or 64 bits.
func (hive) path(key, view string) string {
	key = strings.ToLower(key)
	if rest, ok := strings.CutPrefix(key, `hklm\software\`); ok && view == "32" {
		return `hklm\software\wow6432node\` + rest
	}
	return key
}

func (h hive) Value(key, name, view string) policy.Raw {
	list := []string{view}
	if view == "" {
		list = []string{"64", "32"}
	}
	for _, v := range list {
		if found, ok := h[h.path(key, v)][strings.ToLower(name)]; ok {
			return value(found.kind, found.data)
		}
	}
	return policy.Raw{Code: policy.CodeMissing, Fault: "cannot find " + key + `\` + name}
}

func (h hive) Keys(key, view string) ([]string, error) {
	at := h.path(key, view)
	var out []string
	there := false
	for k := range h {
		there = there || k == at || strings.HasPrefix(k, at+`\`)
		if rest, ok := strings.CutPrefix(k, at+`\`); ok {
			name, _, _ := strings.Cut(rest, `\`)
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	if !there {
		return nil, fmt.Errorf("cannot open %s: %w", key, fs.ErrNotExist)
	}
	for i, n := range out { // names of people's hives are written as Windows writes them
		if strings.HasPrefix(n, "s-1-") {
			out[i] = strings.Replace(strings.ToUpper(n), "_CLASSES", "_Classes", 1)
		}
	}
	slices.Sort(out)
	return out, nil
}

// box is a Windows of its own making.
type box struct {
	hive
	services map[string]string // name → running, stopped; others are absent
	programs map[string]bool
	files    map[string]bool // what is there; nil is everything
	uefi     bool
	smbios   []byte
	users    []Account
	admins   []Member
	network  Network
	out      uint32
	fault    error // everything but the registry fails with it
	wmi      map[string]reply
	texts    map[string]string // files of probes
	asked    int
}

func (b *box) Service(name string) policy.Raw {
	if b.fault != nil {
		return failed(b.fault)
	}
	if s := b.services[name]; s != "" {
		return policy.Raw{Text: s}
	}
	return policy.Raw{Text: "absent"}
}
func (b *box) Programs() (map[string]bool, error) { return b.programs, b.fault }
func (b *box) Firmware() (bool, error)            { return b.uefi, b.fault }
func (b *box) SMBIOS() ([]byte, error)            { return b.smbios, b.fault }
func (b *box) Users() ([]Account, error)          { return b.users, b.fault }
func (b *box) Admins() ([]Member, error)          { return b.admins, b.fault }
func (b *box) MinLength() (int64, error)          { return 12, b.fault }
func (b *box) NameOf(sid string) string           { return sid }
func (b *box) Network() (Network, error)          { return b.network, b.fault }
func (b *box) Out(netip.Addr) (uint32, error)     { return b.out, b.fault }
func (b *box) Exists(p string) bool               { return b.files == nil || b.files[p] }

// ask is the child: it answers by namespace and class what the box was given.
func (b *box) ask(_ context.Context, words ...string) ([]byte, error) {
	b.asked++
	if _, err := readQuestion(words); err != nil {
		return nil, err
	}
	r, ok := b.wmi[strings.Join(words[:min(len(words), 3)], " ")]
	if !ok {
		r, ok = b.wmi[words[0]]
	}
	if !ok {
		r = reply{Code: policy.CodeNoSource, Fault: "cannot ask WMI: no such namespace"}
	}
	if r.Fault == "hangs" {
		return nil, context.DeadlineExceeded
	}
	if r.Fault == "dies" {
		return []byte("{"), nil
	}
	if r.Fault == "fails" {
		return nil, errors.New("cannot run this program: exit status 2")
	}
	return json.Marshal(r)
}

// boxed makes a Windows of captures.
func boxed(t testing.TB, files ...string) *box {
	b := &box{hive: hive{}, services: map[string]string{}, programs: map[string]bool{"explorer.exe": true}, uefi: true, wmi: map[string]reply{}}
	for _, f := range files {
		b.add(t, capture(t, f))
	}
	return b
}

func (b *box) add(t testing.TB, text string) *box {
	t.Helper()
	if err := readReg(text, b.hive); err != nil {
		t.Fatal(err)
	}
	return b
}

func capture(t testing.TB, name string) string {
	text, err := os.ReadFile(filepath.Join("testdata", name+".reg"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (b *box) eyes() *Eyes {
	return New(Options{Now: func() time.Time { return noon }, Machine: b, Ask: b.ask})
}

// readings by fact and product.
func byFact(list []policy.Reading) map[string]policy.Reading {
	out := map[string]policy.Reading{}
	for _, r := range list {
		key := r.Fact()
		if r.Product() != "" {
			key += " " + r.Product()
		}
		out[key] = r
	}
	return out
}

// said is a reading in one word: its value, or its code in brackets.
func said(r policy.Reading) string {
	if code, _ := r.Why(); !r.Read() {
		return "(" + code + ")"
	}
	if at, ok := r.Moment(); ok {
		return at.UTC().Format("2006-01-02")
	}
	return r.Value()
}
