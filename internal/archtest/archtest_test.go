package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestTheImportTableIsTrue reads every Go file, whatever system it is for.
func TestTheImportTableIsTrue(t *testing.T) {
	root := os.DirFS(moduleRoot(t))
	read := 0
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(d.Name())
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		read++
		f, err := parse(root, p)
		if err != nil {
			return err
		}
		for _, c := range complaints(f) {
			t.Error(c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 10 {
		t.Errorf("only %d files were read", read)
	}
}

func moduleRoot(t *testing.T) string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if mod, err := os.ReadFile(filepath.Join(dir, "go.mod")); err != nil || !strings.HasPrefix(string(mod), "module "+module+"\n") {
		t.Fatalf("%s is not the module's root: %v", dir, err)
	}
	return dir
}

// skip leaves out what the go command leaves out too.
func skip(name string) error {
	if name != "." && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "node_modules" || name == "vendor") {
		return fs.SkipDir
	}
	return nil
}

func parse(root fs.FS, p string) (file, error) {
	src, err := fs.ReadFile(root, p)
	if err != nil {
		return file{}, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ImportsOnly)
	if err != nil {
		return file{}, err
	}
	f := file{dir: path.Dir(p), name: path.Base(p)}
	for _, imp := range tree.Imports {
		target, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return file{}, err
		}
		f.imports = append(f.imports, target)
	}
	return f, nil
}

func TestTheTableForbidsWhatTheDesignForbids(t *testing.T) {
	for _, c := range []struct {
		from, imports string
		allowed       bool
	}{
		{"agent/main.go", "sekisho/agent/sensor", true},
		{"agent/main.go", "sekisho/installer/linux", true},
		{"agent/enforce/gate_linux.go", "sekisho/installer/linux", false},
		{"agent/main.go", "sekisho/console/store", false},
		{"agent/main.go", "net/http", false},
		{"agent/flow_test.go", "sekisho/console/agentapi", true},
		{"agent/flow_test.go", "net/http", true},
		{"agent/service.go", "github.com/kardianos/service", true},
		{"agent/link/link.go", "github.com/kardianos/service", false},
		{"agent/link/link.go", "net/http", true},
		{"agent/link/link.go", "sekisho/agent/outbox", false},
		{"agent/link/link_test.go", "sekisho/agent/outbox", false},
		{"agent/local/local.go", "net/http", false},
		{"agent/sensor/usb_linux.go", "sekisho/agent/enforce", false},
		{"agent/sensor/usb_windows.go", "sekisho/internal/policy", true},
		{"agent/sensor/sensor.go", "sekisho/agent/sensor/usb", true},
		{"agent/sensor/usb/usb.go", "sekisho/internal/policy", true},
		{"agent/sensor/usb/usb.go", "sekisho/agent/link", false},
		{"agent/sensor/usb_linux.go", "os/exec", false},
		{"agent/outbox/kill_test.go", "os/exec", true},
		{"agent/sensor/sensor.go", "sekisho/agent", false},
		{"agent/utils/utils.go", "fmt", false},
		{"console/main.go", "sekisho/console/web", true},
		{"console/main.go", "sekisho/agent/link", false},
		{"console/main.go", "database/sql", false},
		{"console/flow_test.go", "sekisho/agent/link", true},
		{"console/web/events.go", "sekisho/console/store", true},
		{"console/web/events.go", "sekisho/console/agentapi", false},
		{"console/web/events.go", "database/sql", false},
		{"console/store/db.go", "database/sql", true},
		{"console/store/db.go", "github.com/jackc/pgx/v5/stdlib", true},
		{"console/store/db.go", "sekisho/console/web", false},
		{"console/web/log.go", "github.com/rs/zerolog/log", false},
		{"console/web/log.go", "github.com/rs/zerolog", true},
		{"internal/policy/decide.go", "os", false},
		{"internal/policy/decide.go", "net/netip", false},
		{"internal/policy/decide.go", "sekisho/internal/wire", false},
		{"internal/policy/decide.go", "time", true},
		{"internal/policy/manual_test.go", "os", true},
		{"internal/wire/wire.go", "sekisho/internal/policy", true},
		{"internal/wire/wire.go", "sekisho/internal/seal", false},
		{"internal/osexec/osexec.go", "os/exec", true},
		{"internal/helper/helper.go", "fmt", false},
		{"scripts/lab/main.go", "os/exec", true},
		{"scripts/lab/main.go", "sekisho/console/store", true},
	} {
		said := complaints(file{dir: path.Dir(c.from), name: path.Base(c.from), imports: []string{c.imports}})
		if (len(said) == 0) != c.allowed {
			t.Errorf("%s → %s: allowed should be %v, complaints %q", c.from, c.imports, c.allowed, said)
		}
	}
}
