// Command bundle makes release keys and packs signed update bundles. It belongs to whoever builds releases;
// no console and no terminal needs it.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sekisho/internal/bundle"
	"sekisho/internal/durable"
	"sekisho/internal/seal"
)

const help = `usage: go run ./scripts/bundle COMMAND

  key FILE                     make a release key; keep the file as a seal is kept, away from every console
  public FILE                  print the key's public half, as programs are built with it
  make -key FILE -version V -out FILE [-epoch SECONDS] OS/ARCH=PROGRAM...
  show -keys PUBLIC FILE       verify a bundle and say what is in it
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) < 2 {
		_, err := io.WriteString(out, help)
		return err
	}
	switch args[0] {
	case "key":
		return makeKey(args[1])
	case "public":
		return printPublic(args[1], out)
	case "make":
		return makeBundle(args[1:])
	case "show":
		return showBundle(args[1:], out)
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// makeKey never replaces a key: terminals in the field know it.
func makeKey(path string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot make a release key: %w", err)
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return errors.Join(err, f.Sync(), f.Close())
}

func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the release key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("cannot read the release key %s: it is not PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the release key %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("cannot use the release key %s: it is not Ed25519", path)
	}
	return key, nil
}

func printPublic(path string, out io.Writer) error {
	key, err := readKey(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
	return err
}

func makeBundle(args []string) error {
	set := flag.NewFlagSet("make", flag.ContinueOnError)
	keyFile, version, out := set.String("key", "", ""), set.String("version", "", ""), set.String("out", "", "")
	epoch := set.Int64("epoch", time.Now().Unix(), "")
	if err := set.Parse(args); err != nil {
		return err
	}
	key, err := readKey(*keyFile)
	if err != nil {
		return err
	}
	m := bundle.Manifest{Format: bundle.Format, Version: *version, MadeAt: time.Unix(*epoch, 0).UTC()}
	var paths []string
	for _, arg := range set.Args() {
		p, path, err := measure(arg)
		if err != nil {
			return err
		}
		m.Programs, paths = append(m.Programs, p), append(paths, path)
	}
	return pack(*out, key, m, paths)
}

// measure reads OS/ARCH=PROGRAM.
func measure(arg string) (p bundle.Program, path string, err error) {
	kind, path, _ := strings.Cut(arg, "=")
	p.OS, p.Arch, _ = strings.Cut(kind, "/")
	f, err := os.Open(path)
	if err != nil {
		return p, path, fmt.Errorf("cannot pack %q: write it like linux/amd64=PROGRAM: %w", arg, err)
	}
	defer f.Close()
	sum := sha256.New()
	p.Size, err = io.Copy(sum, f)
	p.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return p, path, err
}

// pack writes beside the place and renames, so that a bundle is there whole or not at all.
func pack(out string, key ed25519.PrivateKey, m bundle.Manifest, paths []string) error {
	f, err := durable.Create(out)
	if err != nil {
		return err
	}
	defer f.Discard()
	if err := bundle.Write(f, key, m, func(i int) (io.ReadCloser, error) { return os.Open(paths[i]) }); err != nil {
		return err
	}
	return f.Keep(0o644)
}

func showBundle(args []string, out io.Writer) error {
	set := flag.NewFlagSet("show", flag.ContinueOnError)
	public := set.String("keys", "", "")
	if err := set.Parse(args); err != nil {
		return err
	}
	keys, err := seal.ReadKeys(*public)
	if err != nil {
		return err
	}
	f, err := os.Open(set.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := bundle.Read(f, keys)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, made %s, key %s\n", b.Manifest.Version, b.Manifest.MadeAt.Format(time.DateTime), b.Envelope.Key)
	for {
		p, _, err := b.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s/%s %d bytes %s\n", p.OS, p.Arch, p.Size, p.SHA256)
	}
}
