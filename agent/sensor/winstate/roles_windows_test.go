package winstate

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/windows/svc"
)

// The other roles of this program: a service, a program that runs for a while.
const (
	serveWord = "serve"
	stayWord  = "stay"
	saysFile  = ".says" // beside a copy of this program: what it says instead of testing anything
)

// TestMain is also the child that the eyes ask, and the products that they look at: the test runs itself again.
func TestMain(m *testing.M) {
	if text, err := os.ReadFile(os.Args[0] + saysFile); err == nil {
		_, _ = os.Stdout.Write(text)
		return
	}
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case ChildWord:
		child()
	case serveWord:
		_ = svc.Run("", quietService{})
	case stayWord:
		time.Sleep(5 * time.Minute)
	default:
		os.Exit(m.Run())
	}
}

func child() {
	question := ""
	if len(os.Args) > 2 {
		question = os.Args[2]
	}
	switch question {
	case "hang":
		time.Sleep(time.Hour)
	case "eat":
		eat()
	}
	if err := Answer(context.Background(), os.Stdout, os.Args[2:]); err != nil {
		os.Exit(1)
	}
}

// eat takes four times what a child may hold, and no more: a Windows without any limit survives it.
func eat() {
	const bite = 4 << 20
	var all [][]byte
	for range 4 * wmiMemory / bite {
		all = append(all, bytes.Repeat([]byte{1}, bite))
		time.Sleep(4 * time.Millisecond)
	}
	os.Exit(len(all) & 1)
}

// quietService runs and does nothing.
type quietService struct{}

func (quietService) Execute(_ []string, changes <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop}
	for c := range changes {
		if c.Cmd == svc.Stop {
			return false, 0
		}
		status <- c.CurrentStatus
	}
	return false, 0
}

// Imported has this Windows read captures, until the test ends.
func Imported(t *testing.T, names ...string) { imported(t, names...) }

// Put writes a registry value (kind noValue takes it away) and gives what takes the change back.
func Put(t *testing.T, key, name string, kind uint32, data []byte) (undo func()) {
	t.Helper()
	h := hive{key: {name: regValue{name, kind, data}}}
	before, fresh := h.noted()
	if kind == noValue {
		h.putBack(t, nil)
	} else {
		h.write(t)
	}
	return func() { before.putBack(t, fresh) }
}

// NoValue is the kind of a value that is not there.
const NoValue = noValue

// ServeWord and StayWord are words for this program: be a service, stay a while.
const (
	ServeWord = serveWord
	StayWord  = stayWord
)
