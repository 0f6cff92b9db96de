package main

import (
	"fmt"
	"os"
	"sync"
)

// logFile is where a service writes that has no journal: a file of bounded size and the one before it.
type logFile struct {
	path string
	most int64 // bytes of one file

	mu   sync.Mutex
	file *os.File // owned by mu
	size int64    // owned by mu
}

const maxLog = 8 << 20

func openLog(path string, most int64) (*logFile, error) {
	l := &logFile{path: path, most: most}
	return l, l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("cannot open the log: %w", err)
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write adds a line. A file that is full becomes the one before; where that is refused (somebody reads it) the file grows on.
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(b)) > l.most {
		if err := l.turn(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(b)
	l.size += int64(n)
	return n, err
}

func (l *logFile) turn() error {
	l.file.Close()
	refused := os.Rename(l.path, l.path+".1")
	if err := l.open(); err != nil {
		return err
	}
	if refused != nil {
		l.size = 0 // asked again when as much has been written once more
	}
	return nil
}

// Close ends it.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
