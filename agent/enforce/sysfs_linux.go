package enforce

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sekisho/internal/sysfs"
)

// tree is sysfs and procfs below a root. All writes pass through write, which a test replaces by a small kernel.
type tree struct {
	root  string
	write func(path, value string) error
}

func (t tree) path(parts ...string) string {
	return filepath.Join(t.root, filepath.Join(parts...))
}

// device gives the real folder of a device on a bus.
func (t tree) device(bus, name string) (string, error) {
	if !plain(name) {
		return "", fmt.Errorf("cannot find device %q: not a name", name)
	}
	return follow(t.path("sys/bus", bus, "devices", name))
}

// follow takes the one link that bus and class folders hold; nothing on the way to it or behind it is a link
// (https://docs.kernel.org/filesystems/sysfs.html).
func follow(link string) (string, error) {
	target, err := sysfs.Link(link)
	if err != nil || filepath.IsAbs(target) {
		return target, err
	}
	return filepath.Join(filepath.Dir(link), target), nil
}

// plain says that a name is one path element of at most 128 bytes and nothing cleverer.
func plain(name string) bool {
	return name != "" && len(name) <= 128 && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00\n")
}

// names lists a folder, sorted; a folder that is not there is empty.
func (t tree) names(dir string) []string { return sysfs.Names(dir) }

// driver names the driver bound to a device, "" for none.
func driver(dir string) string {
	link, err := sysfs.Link(filepath.Join(dir, "driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(link)
}

// attr reads one attribute, trimmed and bounded.
func attr(dir, name string) (string, error) {
	text, err := sysfs.Attr(filepath.Join(dir, name), sysfs.MaxAttr)
	return strings.TrimSpace(string(text)), err
}

// nodes finds the block devices whose real folder lies below one that begins with prefix,
// and everything that was built upon them.
func (t tree) nodes(prefix string) []node {
	class := t.path("sys/class/block")
	var out []node
	for _, name := range t.names(class) {
		dir, err := follow(filepath.Join(class, name))
		if err == nil && strings.HasPrefix(dir, prefix) {
			out = append(out, t.node(name, false))
		}
	}
	return t.withHolders(out)
}

func (t tree) node(name string, upper bool) node {
	dir := t.path("sys/class/block", name)
	number, _ := attr(dir, "dev") // "" matches no mount; the name still may
	mapper, _ := attr(dir, "dm/name")
	return node{name: name, number: number, mapper: mapper, upper: upper}
}

// withHolders follows holders/ upwards: a LUKS container on the stick is as much of the stick as its partition.
func (t tree) withHolders(nodes []node) []node {
	for i := 0; i < len(nodes) && len(nodes) < 256; i++ {
		for _, name := range t.names(t.path("sys/class/block", nodes[i].name, "holders")) {
			if !slices.ContainsFunc(nodes, func(n node) bool { return n.name == name }) {
				nodes = append(nodes, t.node(name, true))
			}
		}
	}
	return nodes
}

func nodeNames(nodes []node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.name)
	}
	return strings.Join(out, " ")
}
