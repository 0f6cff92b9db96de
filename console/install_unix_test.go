//go:build unix

package main

import (
	"strings"
	"testing"
)

func TestWhereAPackageMakesTheServiceInstallSaysSo(t *testing.T) {
	for _, command := range []string{"install", "uninstall"} {
		if code, out, errs := words(t, command, "--state", t.TempDir()); code != exitFault || out != "" || !strings.Contains(errs, "package") || !strings.Contains(errs, "→") {
			t.Errorf("%s: %d %q %q", command, code, out, errs)
		}
	}
}
