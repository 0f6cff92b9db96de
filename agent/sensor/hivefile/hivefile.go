// Package hivefile reads one key out of a registry hive that lies in a file, as it is there when the person whose it is has not
// signed in. It never loads a hive, never writes to one, never follows what a hive says out of its own bytes, and does not know
// what the key means. The bytes belong to a person who may have written them to do harm: every step and every byte is counted.
package hivefile

import (
	"errors"
	"fmt"
)

// Question is what to read: of the keys below one key, some values.
type Question struct {
	Folder string   // the person's profile
	File   string   // of the hive, below Folder; its logs lie beside it
	Key    string   // from the hive's root
	Values []string // their names
}

// Value is a value as it stands in the hive: of any type, whole or not.
type Value struct {
	Kind uint32 `json:"kind"`
	Data []byte `json:"data,omitempty"`
	Long bool   `json:"long,omitempty"` // longer than MaxValue, and not read
}

// Entry is a key with those of the values asked for that it has, by the names that they were asked by.
type Entry struct {
	Name   string           `json:"name"`
	Values map[string]Value `json:"values,omitempty"`
}

// Answer is what a hive says.
type Answer struct {
	Entries []Entry `json:"entries,omitempty"`
	Code    string  `json:"code,omitempty"`  // why not all of it is here; "" is that it is
	Fault   string  `json:"fault,omitempty"` // the same in words, to come behind "cannot read FILE: "
}

// Codes of an answer.
const (
	Missing = "missing" // there is no such file
	Busy    = "busy"    // somebody else has the file open, or asked for it meanwhile: it is theirs
	Denied  = "denied"
	Damaged = "damaged"  // it is no hive, or not whole: what could be read is here
	Older   = "older"    // its last changes stand in a log that cannot be applied: what was there before them is here
	TooMuch = "too_much" // more than the bounds let in: what was within them is here
	Failed  = "failed"
)

// Bounds of what is read.
const (
	MaxFile  = 64 << 20 // of a hive, also when it has grown by its logs; NTUSER.DAT has 1 to 20 MiB
	maxLog   = 32 << 20 // of a log
	MaxValue = 64 << 10 // of one value
	maxData  = 2 << 20  // of all names and values together
	maxKeys  = 20000    // below the key
	maxSteps = 2 << 20  // cells and list elements looked at; a hive full of loops is left at that
)

// files are a hive and its two logs as they lay on the disk; a log that is not there is nil.
type files struct{ hive, log1, log2 []byte }

// trouble is a reason not to have everything.
type trouble struct {
	code string
	text string
}

func (t *trouble) Error() string { return t.text }

func damaged(format string, args ...any) error {
	return &trouble{Damaged, fmt.Sprintf(format, args...)}
}

// read answers a question from bytes.
func read(q Question, f files) Answer {
	m, err := open(f)
	if m == nil {
		return failed(err)
	}
	entries, e := m.entries(q)
	if e != nil {
		err = e
	}
	a := failed(err)
	a.Entries = entries
	return a
}

func failed(err error) Answer {
	if err == nil {
		return Answer{}
	}
	var t *trouble
	if errors.As(err, &t) {
		return Answer{Code: t.code, Fault: t.text}
	}
	return Answer{Code: Failed, Fault: err.Error()}
}

var (
	errBusy      = &trouble{Busy, "somebody else has it in use"}
	errElsewhere = &trouble{Failed, "a link leads elsewhere from there"}
	errFull      = &trouble{TooMuch, "it holds more than is read"}
)

func tooLong(most int64) error {
	return &trouble{TooMuch, fmt.Sprintf("it is longer than %d MiB", most>>20)}
}
