package osexec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// Words for this program as a child: it eats memory, or holds a little and ends.
const (
	eatWord  = "eat"
	holdWord = "hold"
)

// A child may hold this much; one that eats stops at four times as much, so that a machine without any limit survives it.
const (
	mayHold = 96 << 20
	eaten   = 4 * mayHold
	bite    = 4 << 20
)

// TestMain is also the child.
func TestMain(m *testing.M) {
	word := ""
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	switch word {
	case eatWord:
		fmt.Println(len(eat(eaten, 4*time.Millisecond)))
	case holdWord:
		fmt.Println(len(eat(bite, 0)))
	default:
		os.Exit(m.Run())
	}
}

// eat takes memory and writes into all of it.
func eat(most int, pause time.Duration) [][]byte {
	var all [][]byte
	for n := 0; n < most; n += bite {
		all = append(all, bytes.Repeat([]byte{1}, bite))
		time.Sleep(pause) // a parser reads its input, too
	}
	return all
}

func TestAChildThatEatsMemoryIsEnded(t *testing.T) {
	begun := time.Now()
	out, err := Self(t.Context(), Options{Timeout: time.Minute, Memory: mayHold}, eatWord)
	if !errors.Is(err, ErrMemory) || len(out) != 0 {
		t.Errorf("%q, %v", out, err)
	}
	t.Logf("ended after %v", time.Since(begun))
}

func TestAChildThatHoldsLittleIsLeftAlone(t *testing.T) {
	if out, err := Self(t.Context(), Options{Timeout: time.Minute, Memory: mayHold}, holdWord); err != nil || len(out) == 0 {
		t.Errorf("%q, %v", out, err)
	}
}

func TestTimeEndsAChildWithALimitOfMemoryToo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Self(ctx, Options{Timeout: time.Minute, Memory: eaten * 2}, eatWord); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
