package main

import (
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows/svc"
)

func TestTheServiceHearsOfSessionsAndOfSleep(t *testing.T) {
	woken := make(chan struct{}, 1)
	h := handler{&program{woken: woken, log: zerolog.Nop()}}
	status := make(chan svc.Status, 1)
	for _, c := range []struct {
		r    svc.ChangeRequest
		rung bool
	}{
		{svc.ChangeRequest{Cmd: svc.SessionChange, EventType: 5}, true}, // somebody signed in
		{svc.ChangeRequest{Cmd: svc.PowerEvent, EventType: resumed}, true},
		{svc.ChangeRequest{Cmd: svc.PowerEvent, EventType: 4}, false},
	} {
		if h.control(c.r, status) {
			t.Errorf("%+v stopped the service", c.r)
		}
		select {
		case <-woken:
			if !c.rung {
				t.Errorf("%+v was heard", c.r)
			}
		default:
			if c.rung {
				t.Errorf("%+v was not heard", c.r)
			}
		}
	}
	for _, cmd := range []svc.Cmd{svc.Stop, svc.Shutdown, svc.PreShutdown} {
		if !h.control(svc.ChangeRequest{Cmd: cmd}, status) {
			t.Errorf("%d does not stop it", cmd)
		}
	}
}
