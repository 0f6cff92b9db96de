package local

import (
	"context"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Style of the message (winuser.h): one button, a warning, above other windows. With no time limit it stays until it was seen.
const style = 0x00000000 | 0x00000030 | 0x00010000 | 0x00040000 // MB_OK, MB_ICONWARNING, MB_SETFOREGROUND, MB_TOPMOST

// sessions finds those in which somebody works: at the console and from afar
// (https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsenumeratesessionsw).
func (t *Teller) sessions() []session {
	var first *windows.WTS_SESSION_INFO
	var n uint32
	if windows.WTSEnumerateSessions(0, 0, 1, &first, &n) != nil {
		return nil
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(first)))
	var out []session
	for _, s := range unsafe.Slice(first, n) {
		if s.State == windows.WTSActive && s.SessionID != 0 && len(out) < maxSessions { // 0 is the services' own
			out = append(out, session{uid: s.SessionID})
		}
	}
	return out
}

// notify shows a message and does not wait until it was read; a program of the user could not keep it away
// (https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtssendmessagew).
func (t *Teller) notify(_ context.Context, s session, title, body string) error {
	send := sender()
	if err := send.Find(); err != nil {
		return fmt.Errorf("cannot tell session %d: %w", s.uid, err)
	}
	head, err := windows.UTF16FromString(title)
	if err != nil {
		return fmt.Errorf("cannot tell session %d: %w", s.uid, err)
	}
	text, err := windows.UTF16FromString(body)
	if err != nil {
		return fmt.Errorf("cannot tell session %d: %w", s.uid, err)
	}
	var answer uint32
	// Lengths are in bytes and without the zero at the end.
	r, _, err := send.Call(0, uintptr(s.uid), uintptr(unsafe.Pointer(&head[0])), uintptr(2*(len(head)-1)),
		uintptr(unsafe.Pointer(&text[0])), uintptr(2*(len(text)-1)), style, 0, uintptr(unsafe.Pointer(&answer)), 0)
	if r == 0 {
		return fmt.Errorf("cannot tell session %d: %w", s.uid, err)
	}
	return nil
}

func sender() *windows.LazyProc {
	return windows.NewLazySystemDLL("wtsapi32.dll").NewProc("WTSSendMessageW")
}

// Ready says why no desktop can be told here.
func (t *Teller) Ready() error {
	if err := sender().Find(); err != nil {
		return fmt.Errorf("cannot tell a desktop: %w", err)
	}
	return nil
}
