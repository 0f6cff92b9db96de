package linux

import (
	"bytes"
	"strings"
	"testing"
)

func TestEveryFileHasAPlaceAndContent(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range append(Files(), Hooks()...) {
		if !strings.HasPrefix(f.Path, "/etc/") || len(f.Data) == 0 || f.Mode == 0 || seen[f.Path] {
			t.Errorf("%s: mode %o, %d bytes, seen %v", f.Path, f.Mode, len(f.Data), seen[f.Path])
		}
		seen[f.Path] = true
	}
}

// Each of these would blind the eyes or bind the hands; systemd would not complain, the agent would only fail.
func TestTheSandboxLeavesTheHandsFree(t *testing.T) {
	for _, forbidden := range []string{"ProtectKernelTunables=yes", "PrivateNetwork=yes", "PrivateUsers=yes",
		"PrivateDevices=yes", "ProtectClock=yes", "RestrictNamespaces=yes", "RefuseManualStop=yes"} {
		if bytes.Contains(agentUnit, []byte("\n"+forbidden)) {
			t.Errorf("the unit says %s", forbidden)
		}
	}
	for _, wanted := range []string{"Type=notify", "Restart=always", "StartLimitIntervalSec=0", "WatchdogSec=",
		"StateDirectoryMode=0700", "RestrictNamespaces=mnt", " umount2 setns unshare"} {
		if !bytes.Contains(agentUnit, []byte(wanted)) {
			t.Errorf("the unit lacks %s", wanted)
		}
	}
}

func TestTheHookLooksForTheLineThatTheGateWrites(t *testing.T) {
	if !bytes.Contains(initramfsHook, []byte("'^# sekisho: initramfs$'")) {
		t.Error("the hook does not look for the line that agent/enforce writes into the rules")
	}
}
