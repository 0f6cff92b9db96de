package update

import (
	"os"
	"testing"
	"time"
)

func TestTheNewProgramAndTheOneThatComesBackCanBeRunByAllAndChangedByRoot(t *testing.T) {
	for _, program := range []string{"1.1 good", "1.1 unstartable"} {
		story(t, func(o *office) {
			o.offered(o.release("1.1", program))
			later(spread + time.Minute)
			if info, err := os.Stat(o.program()); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("%s: %v, %v", program, info.Mode(), err)
			}
		})
	}
}
