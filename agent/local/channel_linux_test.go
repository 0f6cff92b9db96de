package local

import (
	"os"
	"testing"
)

func TestEveryoneOnTheTerminalMayAsk(t *testing.T) {
	if info, err := os.Stat(serve(t)); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
