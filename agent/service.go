package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/kardianos/service"
	"github.com/rs/zerolog"
)

const serviceName = "sekisho-agent"

// stopLimit is how long a stop may take before the service manager is told that it is done all the same.
const stopLimit = 15 * time.Second

// errForeground says that no service manager started this process.
var errForeground = errors.New("no service manager")

// serve runs body as the service manager wants it, or in the foreground where there is none. When body ends by itself
// so does the process, with an error, and the manager starts it again.
func serve(ctx context.Context, body func(context.Context) error, woken chan<- struct{}, log zerolog.Logger) error {
	p := &program{body: body, woken: woken, done: make(chan struct{}), log: log}
	p.ctx, p.cancel = context.WithCancel(ctx)
	defer p.cancel()
	err := p.managed()
	if errors.Is(err, errForeground) {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		return body(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot run as a service: %w", err)
	}
	return p.err
}

// program is the agent as the service library sees it.
type program struct {
	body   func(context.Context) error
	ctx    context.Context
	cancel context.CancelFunc
	woken  chan<- struct{} // told when the machine slept or other people sit at it
	done   chan struct{}   // closed when body has ended; err is set then
	err    error
	log    zerolog.Logger
}

// Start must not wait (service.Interface).
func (p *program) Start(service.Service) error {
	go func() {
		defer close(p.done)
		p.err = p.body(p.ctx)
	}()
	return nil
}

// Stop ends the body and waits for it.
func (p *program) Stop(service.Service) error {
	p.cancel()
	select {
	case <-p.done:
		return p.err
	case <-time.After(stopLimit):
		return errors.New("cannot stop in time: what is under way ends with the process")
	}
}

// systemService is the handle that installs and removes. script is a whole systemd unit; the library's own has no
// watchdog, no sandbox and waits two minutes before a restart.
func systemService(script string) (service.Service, error) {
	return service.New(&program{}, &service.Config{
		Name:        serviceName,
		DisplayName: "Sekisho",
		Description: "Sekisho agent (removable media control)",
		Arguments:   []string{"run"},
		Option:      service.KeyValue{"SystemdScript": script, "StartType": "automatic", "OnFailure": "restart"},
	})
}

// hasServiceManager says whether the system can be asked to start the agent by itself.
func hasServiceManager() bool {
	p := service.Platform()
	return p == "linux-systemd" || p == "windows-service"
}

// quoted is a service's command line with quotes around a path with spaces; ours ends with the program's name.
func quoted(line string) string {
	path, args, found := strings.Cut(line, ".exe")
	if !found || strings.HasPrefix(line, `"`) || !strings.Contains(path, " ") {
		return line
	}
	return `"` + path + `.exe"` + args
}
