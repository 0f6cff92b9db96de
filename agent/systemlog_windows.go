package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/eventlog"
)

// logSource is our name in the event log, below the log of applications.
const logSource = "Sekisho"

const sourcesKey = `SYSTEM\CurrentControlSet\Services\EventLog\Application\`

// openSystemLog opens the event log. Without a source registered the lines are kept all the same, with a word before them
// that says so.
func openSystemLog() (write func(line) error, end func()) {
	l, err := eventlog.Open(logSource)
	if err != nil {
		return nil, func() {}
	}
	write = func(n line) error {
		switch n.gravity {
		case gravityError:
			return l.Error(n.id, n.text)
		case gravityWarning:
			return l.Warning(n.id, n.text)
		}
		return l.Info(n.id, n.text)
	}
	return write, func() { _ = l.Close() }
}

// registerLog names the program whose texts show our lines: Windows' own eventcreate.exe has an empty one for each id from 1
// to 1000 (https://learn.microsoft.com/windows/win32/eventlog/event-sources).
func registerLog() error {
	if k, err := registry.OpenKey(registry.LOCAL_MACHINE, sourcesKey+logSource, registry.QUERY_VALUE|registry.WOW64_64KEY); err == nil {
		return k.Close()
	}
	if err := eventlog.InstallAsEventCreate(logSource, eventlog.Error|eventlog.Warning|eventlog.Info); err != nil {
		return fmt.Errorf("cannot register the event source: %w", err)
	}
	return nil
}

func unregisterLog() error {
	if err := eventlog.Remove(logSource); err != nil && !errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return fmt.Errorf("cannot remove the event source: %w", err)
	}
	return nil
}
