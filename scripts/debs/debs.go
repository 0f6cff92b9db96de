// Package debs makes Debian packages and signed repositories of them, for tests and benchmarks. It never touches the
// packages of the machine it runs on.
package debs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Package is one to make.
type Package struct {
	Name, Version string
	Depends       string
	Section       string
	Files         map[string]string // absolute path → content; all may be run
	Scripts       map[string]string // postinst and so on
	Fields        string            // more lines of control
}

// control is what the package says of itself.
func (p Package) control() string {
	s := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: Lab <lab@example.org>\nInstalled-Size: 1\n", p.Name, p.Version)
	if p.Depends != "" {
		s += "Depends: " + p.Depends + "\n"
	}
	return s + p.Fields + "Description: made for a test\n"
}

// File is its archive's name.
func (p Package) File() string { return p.Name + "_" + p.Version + "_amd64.deb" }

// made is the time of everything inside.
var made = time.Unix(1_700_000_000, 0)

// Bytes is the archive (deb(5)).
func (p Package) Bytes() ([]byte, error) {
	scripts := map[string]string{"./control": p.control()}
	for name, text := range p.Scripts {
		scripts["./"+name] = text
	}
	control, err := tarball(scripts)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for name, text := range p.Files {
		files["."+name] = text
	}
	data, err := tarball(files)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBufferString("!<arch>\n")
	for _, part := range []struct {
		name string
		body []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", control}, {"data.tar.gz", data}} {
		fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", part.name, made.Unix(), 0, 0, "100644", len(part.body))
		out.Write(part.body)
		if len(part.body)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

// tarball packs files, and the folders above them first.
func tarball(files map[string]string) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	names, folders := []string{}, map[string]bool{"./": true}
	for name := range files {
		names = append(names, name)
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			folders["./"+dir+"/"] = true
		}
	}
	for dir := range folders {
		names = append(names, dir)
	}
	slices.Sort(names)
	for _, name := range names {
		h := &tar.Header{Name: name, Mode: 0o755, ModTime: made, Uname: "root", Gname: "root", Typeflag: tar.TypeReg, Size: int64(len(files[name]))}
		if folders[name] {
			h.Typeflag = tar.TypeDir
		} else if name == "./control" {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Write makes the package in a folder and gives its path.
func (p Package) Write(dir string) (string, error) {
	raw, err := p.Bytes()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, p.File())
	return file, os.WriteFile(file, raw, 0o644)
}

// Source is a flat repository, and what its release file says of it.
type Source struct {
	Key   *Key      // signs the release file; nil is nobody
	Label string    // such as Debian-Security
	Made  time.Time // when the release file was; zero is just now
}

// Repository makes a flat repository of packages in a folder. With a key its release is signed.
func Repository(dir string, key *Key, packages ...Package) error {
	return Source{Key: key}.Write(dir, packages...)
}

// Write makes the repository in a folder.
func (s Source) Write(dir string, packages ...Package) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var list strings.Builder
	for _, p := range packages {
		raw, err := p.Bytes()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, p.File()), raw, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&list, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", p.control(), p.File(), len(raw), sha256.Sum256(raw))
	}
	index := []byte(list.String())
	if s.Made.IsZero() {
		s.Made = time.Now().Add(-time.Minute)
	}
	release := fmt.Sprintf("Origin: Lab\nSuite: lab\nCodename: lab\nArchitectures: amd64\nDate: %s\nSHA256:\n %x %d Packages\n",
		s.Made.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC"), sha256.Sum256(index), len(index))
	if s.Label != "" {
		release = "Label: " + s.Label + "\n" + release
	}
	if err := os.WriteFile(filepath.Join(dir, "Packages"), index, 0o644); err != nil {
		return err
	}
	if s.Key == nil {
		return os.WriteFile(filepath.Join(dir, "Release"), []byte(release), 0o644)
	}
	signed, err := s.Key.clear(release)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "InRelease"), signed, 0o644)
}
