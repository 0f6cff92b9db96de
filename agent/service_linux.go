package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/kardianos/service"
)

// managed runs the program under systemd until it ends.
func (p *program) managed() error {
	if service.Interactive() {
		return errForeground
	}
	s, err := service.New(p, &service.Config{Name: serviceName, Option: service.KeyValue{"RunWait": p.wait}})
	if err != nil {
		return err
	}
	return s.Run()
}

// wait ends with a signal, or with the body.
func (p *program) wait() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	select {
	case <-signals:
	case <-p.done:
	}
}
