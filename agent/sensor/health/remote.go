package health

import (
	"fmt"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// remotePorts are where remote control listens (IANA "Service Name and Transport Protocol Port Number Registry"; vendors' own).
var remotePorts = map[int]string{3389: "rdp", 5900: "vnc", 5901: "vnc", 5902: "vnc", 5903: "vnc", 5938: "teamviewer", 7070: "anydesk", 21118: "rustdesk"}

// remotePrograms are remote control by its program.
var remotePrograms = []string{"x11vnc", "Xvnc", "x0vncserver", "vino-server", "xrdp", "gnome-remote-desktop-daemon", "krfb", "teamviewerd", "anydesk",
	"rustdesk", "chrome-remote-desktop-host", "nxserver.bin", "splashtop-streamer"}

const (
	tcpListen  = "0A" // include/net/tcp_states.h
	maxSockets = 4 << 20
)

// remote lists what lets somebody else act on this terminal.
func (e *Eyes) remote() policy.Reading {
	o := e.of(policy.FactRemote, "/proc/net/tcp, processes")
	running, err := e.tree.programs()
	if err != nil {
		return unread(o, err)
	}
	var out []string
	for _, f := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := e.tree.read(f, maxSockets)
		if err != nil {
			if f == "/proc/net/tcp6" && why(err) == policy.CodeMissing {
				continue
			}
			return unread(o, err)
		}
		for port, name := range remotePorts {
			if listens(string(text), port) {
				out = append(out, fmt.Sprintf("%s port %d", name, port))
			}
		}
	}
	for _, name := range remotePrograms {
		if running[name] {
			out = append(out, name)
		}
	}
	return o.List(policy.Lines(sorted(setOf(out))))
}

func setOf(words []string) map[string]bool {
	out := map[string]bool{}
	for _, w := range words {
		out[w] = true
	}
	return out
}

// listens looks for a listening socket that others can reach (Documentation/networking/proc_net_tcp.rst).
func listens(table string, port int) bool {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != tcpListen {
			continue
		}
		host, p, ok := strings.Cut(f[1], ":")
		n, err := strconv.ParseInt(p, 16, 32)
		if ok && err == nil && int(n) == port && !loopbackHex(host) {
			return true
		}
	}
	return false
}

// loopbackHex: the kernel writes words in the machine's own order, so that 127.x ends the first word.
func loopbackHex(host string) bool {
	if len(host) == 8 {
		return strings.HasSuffix(host, "7F")
	}
	return host == "00000000000000000000000001000000" || strings.HasPrefix(host, "0000000000000000FFFF0000") && strings.HasSuffix(host, "7F")
}
