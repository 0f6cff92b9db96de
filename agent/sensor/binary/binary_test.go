package binary

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// signedHash is what osslsigncode says of testdata/signed.dll: "Calculated message digest".
const signedHash = "25C3D410CBAD3270A81B8374CBE90EFB95D54B6EF0006D272818320AAC5390AA"

func read(t *testing.T, name string) []byte {
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func signatureOf(raw []byte) (hash, name string, err error) {
	r := bytes.NewReader(raw)
	p, err := readPE(r, int64(len(raw)))
	if err != nil {
		return "", "", err
	}
	if hash, err = p.authenticode(r, int64(len(raw))); err != nil {
		return "", "", err
	}
	name, err = signerOf(p.signature)
	return hash, name, err
}

func TestASignedProgramIsNamedByWhatItsSignatureIsMadeOver(t *testing.T) {
	hash, name, err := signatureOf(read(t, "signed.dll"))
	if err != nil || !strings.EqualFold(hash, signedHash) || name != `O="ACME, INC.", L=千代田区, S=東京都, C=JP` {
		t.Errorf("%s %s %v", hash, name, err)
	}
	bare, _, err := signatureOf(read(t, "unsigned.dll"))
	if err == nil || bare != hash {
		t.Errorf("without its signature the same program is %s (%v)", bare, err)
	}
}

func TestAFileIsReadWhole(t *testing.T) {
	f := Read(t.Context(), filepath.Join("testdata", "signed.dll"))
	if f.Fault != "" || len(f.Hash) != 64 || !strings.EqualFold(f.Authenticode, signedHash) || f.Size == 0 {
		t.Errorf("%+v", f)
	}
	plain := filepath.Join(t.TempDir(), "x.bat")
	if err := os.WriteFile(plain, []byte("@echo off\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := Read(t.Context(), plain); f.Fault != "" || len(f.Hash) != 64 || f.Authenticode != "" || f.Signer != "" {
		t.Errorf("%+v", f)
	}
	if f := Read(t.Context(), filepath.Join(t.TempDir(), "none")); f.Fault == "" || f.Hash != "" {
		t.Errorf("%+v", f)
	}
	if f := Read(t.Context(), t.TempDir()); f.Fault == "" {
		t.Errorf("a folder: %+v", f)
	}
}

func TestABrokenProgramHasNoHashOfTheOtherKind(t *testing.T) {
	good := read(t, "signed.dll")
	at := int(binary.LittleEndian.Uint32(good[0x3c:]))
	for name, spoil := range map[string]func([]byte) []byte{
		"empty":                     func([]byte) []byte { return nil },
		"cut in the header":         func(b []byte) []byte { return b[:0x60] },
		"cut in the signature":      func(b []byte) []byte { return b[:len(b)-9] },
		"something behind it":       func(b []byte) []byte { return append(b, 0) },
		"a header far away":         func(b []byte) []byte { binary.LittleEndian.PutUint32(b[0x3c:], 0xfffffff0); return b },
		"of an unknown kind":        func(b []byte) []byte { b[at+24] = 7; return b },
		"without directories":       func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at+24+108:], 4); return b },
		"a signature in the header": func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at+24+144:], 8); return b },
	} {
		if hash, _, err := signatureOf(spoil(bytes.Clone(good))); err == nil || hash != "" {
			t.Errorf("%s: %s %v", name, hash, err)
		}
	}
}

func TestASignerIsWrittenAsAppLockerWritesIt(t *testing.T) {
	for want, of := range map[string]pkix.Name{
		"O=MICROSOFT CORPORATION, L=REDMOND, S=WASHINGTON, C=US": {Organization: []string{"Microsoft Corporation"}, Locality: []string{"Redmond"},
			Province: []string{"Washington"}, Country: []string{"US"}, CommonName: "Microsoft Windows"},
		"O=ACME": {Organization: []string{"Acme"}}, "CN=ACME": {CommonName: "Ａｃｍｅ\x00"}, "": {},
	} {
		if got, _ := publisherName(of); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func FuzzAnySignatureIsReadWithoutHarm(f *testing.F) {
	for _, name := range []string{"signed.dll", "unsigned.dll"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if hash, name, err := signatureOf(raw); err == nil && (len(hash) != 64 || name == "" || len(name) > maxWord) {
			t.Errorf("%q %q", hash, name)
		}
	})
}

func TestWhoIsToldToStopReadsNoFurther(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f := Read(ctx, filepath.Join("testdata", "signed.dll")); f.Fault == "" || f.Hash != "" {
		t.Errorf("%+v", f)
	}
}
