package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var bundled embed.FS

// assets serves the bundled files from memory, each under an address that changes with its content.
type assets struct {
	files map[string]asset
}

type asset struct {
	body, zipped []byte
	kind, tag    string
}

var assetNames = []string{"app.css", "app.js", "theme.js"}

func loadAssets(from fs.FS) (*assets, error) {
	if from == nil {
		from, _ = fs.Sub(bundled, "dist")
	}
	a := &assets{files: map[string]asset{}}
	for _, name := range assetNames {
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, ErrNoAssets
		}
		sum := sha256.Sum256(body)
		a.files[name] = asset{body: body, zipped: zip(body), kind: mime.TypeByExtension(path.Ext(name)), tag: hex.EncodeToString(sum[:6])}
	}
	return a, nil
}

func zip(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body)
	z.Close()
	return b.Bytes()
}

// url is the address of a file as pages name it.
func (a *assets) url(name string) string { return "/assets/" + name + "?v=" + a.files[name].tag }

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == file.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := file.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.zipped
	}
	w.Write(body)
}
