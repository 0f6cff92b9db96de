package applog

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Of winevt.h (https://learn.microsoft.com/windows/win32/api/winevt/).
const (
	toFutureEvents = 1      // EvtSubscribeToFutureEvents
	tolerate       = 0x1000 // EvtSubscribeTolerateQueryErrors: a log that this Windows has not is left out
	renderXML      = 1      // EvtRenderEventXml
	batch          = 16
	wakeEvery      = 1000 // milliseconds: how long an end may wait
)

// library is what the logs are read with; not every imitation of Windows has it.
type library struct {
	subscribe, next, render, done *windows.LazyProc
}

func open() (library, error) {
	dll := windows.NewLazySystemDLL("wevtapi.dll")
	l := library{dll.NewProc("EvtSubscribe"), dll.NewProc("EvtNext"), dll.NewProc("EvtRender"), dll.NewProc("EvtClose")}
	for _, p := range []*windows.LazyProc{l.subscribe, l.next, l.render, l.done} {
		if err := p.Find(); err != nil {
			return l, err
		}
	}
	return l, nil
}

// Watch calls found for each event from now on, until ctx ends. An error says that nothing will be told of.
func Watch(ctx context.Context, places map[string]string, found func(Event)) error {
	l, err := open()
	if err != nil {
		return fmt.Errorf("cannot read AppLocker's logs: %w", err)
	}
	signal, err := windows.CreateEvent(nil, 1, 1, nil)
	if err != nil {
		return fmt.Errorf("cannot read AppLocker's logs: %w", err)
	}
	defer windows.CloseHandle(signal)
	text, err := windows.UTF16PtrFromString(query())
	if err != nil {
		return err
	}
	results, _, callErr := l.subscribe.Call(0, uintptr(signal), 0, uintptr(unsafe.Pointer(text)), 0, 0, 0, toFutureEvents|tolerate)
	if results == 0 {
		return fmt.Errorf("cannot read AppLocker's logs: %w", callErr)
	}
	defer l.done.Call(results)
	return l.follow(ctx, signal, results, func(text string) {
		if e, err := Parse(text, places); err == nil {
			found(e)
		}
	})
}

func (l library) follow(ctx context.Context, signal windows.Handle, results uintptr, found func(string)) error {
	for ctx.Err() == nil {
		switch got, err := windows.WaitForSingleObject(signal, wakeEvery); {
		case err != nil:
			return fmt.Errorf("cannot wait for AppLocker's logs: %w", err)
		case got != windows.WAIT_OBJECT_0:
			continue
		}
		if err := windows.ResetEvent(signal); err != nil { // before reading: what comes meanwhile sets it again
			return fmt.Errorf("cannot wait for AppLocker's logs: %w", err)
		}
		if err := l.drain(results, found); err != nil {
			return err
		}
	}
	return nil
}

// drain reads until nothing is left.
func (l library) drain(results uintptr, found func(string)) error {
	for {
		var events [batch]uintptr
		var n uint32
		ok, _, err := l.next.Call(results, batch, uintptr(unsafe.Pointer(&events[0])), 0, 0, uintptr(unsafe.Pointer(&n)))
		if ok == 0 {
			if errors.Is(err, windows.ERROR_NO_MORE_ITEMS) || errors.Is(err, windows.ERROR_TIMEOUT) {
				return nil
			}
			return fmt.Errorf("cannot read AppLocker's logs: %w", err)
		}
		if n == 0 || n > batch {
			return errors.New("cannot read AppLocker's logs: nothing came of it")
		}
		for _, e := range events[:n] {
			if text := l.text(e); text != "" {
				found(text)
			}
			_, _, _ = l.done.Call(e)
		}
	}
}

// text is the event as XML; one that is longer than any of AppLocker's is left out.
func (l library) text(event uintptr) string {
	buf := make([]uint16, maxText/2)
	var used, properties uint32
	ok, _, _ := l.render.Call(0, event, renderXML, uintptr(len(buf)*2), uintptr(unsafe.Pointer(&buf[0])),
		uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
	if ok == 0 {
		return ""
	}
	return windows.UTF16ToString(buf)
}
