package health

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"sekisho/internal/policy"
)

const maxProcesses = 100000

// programs gives the names of the programs that run, by the file that was started and by what they call themselves.
func (t tree) programs() (map[string]bool, error) {
	names, err := os.ReadDir(t.path("/proc"))
	if err != nil {
		return nil, err
	}
	out, seen := map[string]bool{}, 0
	for _, n := range names {
		if strings.Trim(n.Name(), "0123456789") != "" || seen > maxProcesses {
			continue
		}
		exe, err := os.Readlink(t.path("/proc/" + n.Name() + "/exe"))
		switch {
		case err == nil:
			out[base(exe)] = true
			seen++
		case errors.Is(err, fs.ErrPermission):
			if comm, err := t.read("/proc/"+n.Name()+"/comm", 64); err == nil {
				out[strings.TrimSpace(string(comm))] = true
				seen++
			}
		}
	}
	if seen == 0 {
		return nil, errors.New("cannot list processes: /proc shows none")
	}
	return out, nil
}

// unitFolders are where systemd finds units (systemd.unit(5)).
var unitFolders = []string{"/etc/systemd/system/", "/run/systemd/system/", "/usr/local/lib/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"}

// unit says whether a systemd unit runs, by its control group: no bus and no program is asked.
func (e *Eyes) unit(name string) policy.Raw {
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	events, err := e.tree.read(path.Join("/sys/fs/cgroup/system.slice", name, "cgroup.events"), 4096)
	switch {
	case err == nil && strings.Contains(string(events), "populated 1"):
		return policy.Raw{Text: "running"}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return failure(err)
	case !e.tree.exists("/sys/fs/cgroup/cgroup.controllers"):
		return policy.Raw{Code: policy.CodeNoSource, Fault: "cannot ask for units: there is no unified control group tree"}
	}
	for _, dir := range unitFolders {
		if e.tree.exists(dir + name) {
			return policy.Raw{Text: "stopped"}
		}
	}
	return policy.Raw{Text: "absent"}
}
