package policy

import "time"

// ProgramKind is how a program came to be known.
type ProgramKind string

// The kinds of programs.
const (
	ProgramDeb      ProgramKind = "deb"
	ProgramRPM      ProgramKind = "rpm"
	ProgramSnap     ProgramKind = "snap"
	ProgramFlatpak  ProgramKind = "flatpak"
	ProgramAppImage ProgramKind = "appimage"
	ProgramMSI      ProgramKind = "msi"    // Windows Installer product
	ProgramApp      ProgramKind = "app"    // another installer's entry in an Uninstall key
	ProgramMSIX     ProgramKind = "msix"   // packaged or store app
	ProgramFile     ProgramKind = "file"   // a file that was run and that no installer answers for
	ProgramScript   ProgramKind = "script" // the same, given to an interpreter
)

// Where a program came from.
const (
	SourceRepository = "repository" // a package source whose signature the package manager checked; Origin names it
	SourceLocal      = "local"      // a package file that somebody brought
	SourceStore      = "store"      // an application store
	SourceNone       = "none"       // no installer answers for it
	SourceUnknown    = "unknown"
)

// Program is what a sensor read of something that is installed or run. Words are the program's own, cleaned by the sensor:
// NFKC, no control characters, at most 256 bytes; Unclean says that it had to.
type Program struct {
	ID          string      `json:"id"` // unique on its terminal and the same at every look: "deb:curl:amd64", "msi:{GUID}", "file:/opt/x"
	Kind        ProgramKind `json:"kind"`
	Name        string      `json:"name"` // package or product name; of a file its base name
	Version     string      `json:"version,omitempty"`
	Arch        string      `json:"arch,omitempty"`
	Publisher   string      `json:"publisher,omitempty"` // maintainer or publisher as it says of itself
	Signer      string      `json:"signer,omitempty"`    // subject of a signature that was checked; "" none, or not checked
	Source      string      `json:"source,omitempty"`    // Source… constants
	Origin      string      `json:"origin,omitempty"`    // which repository, or the file that was brought
	Path        string      `json:"path,omitempty"`      // of the program, or where it is installed
	Hash        string      `json:"hash,omitempty"`      // SHA-256 in hex of a single file
	Size        int64       `json:"size,omitempty"`      // bytes; 0 is unknown
	User        string      `json:"user,omitempty"`      // whose it is, when it is not the whole machine's
	InstalledAt time.Time   `json:"installed_at,omitzero"`
	InstalledBy string      `json:"installed_by,omitempty"`
	Essential   bool        `json:"essential,omitempty"` // the system does not start without it
	Unclean     bool        `json:"unclean,omitempty"`   // a word was cut or cleaned
	Fault       string      `json:"fault,omitempty"`     // what could not be read, in English, for the raw facts
}

// Single says that it is a file that nobody installed: everybody may call one anything, so its content tells it from others.
func (p Program) Single() bool {
	return p.Kind == ProgramFile || p.Kind == ProgramScript || p.Kind == ProgramAppImage
}

// SingleHash is the hash of a single file.
func (p Program) SingleHash() string {
	if p.Single() {
		return p.Hash
	}
	return ""
}

// What a program event says happened.
const (
	ProgramInstalled = "installed" // a sensor found it there anew
	ProgramChanged   = "changed"   // another version; Before is the old one
	ProgramRemoved   = "removed"
	ProgramWanted    = "wanted" // a package manager asks whether it may install it
	ProgramRun       = "run"    // it was started, or somebody tried to
	ProgramFound     = "found"  // it was there at the first look, and is one that no rule allows
)

// ProgramEvent is one thing that happened with a program.
type ProgramEvent struct {
	What    string    `json:"what"`
	Program Program   `json:"program"`
	Before  string    `json:"before,omitempty"`  // version
	SeenAt  time.Time `json:"seen_at"`           // terminal's wall clock
	User    string    `json:"user,omitempty"`    // who did it; "" unknown
	Command string    `json:"command,omitempty"` // with what: the package manager's command line, the interpreter
	Parent  string    `json:"parent,omitempty"`  // path of the program that started it
	Away    bool      `json:"away,omitempty"`    // it happened while the agent did not look; SeenAt is when it was found
	Times   int       `json:"times,omitempty"`   // how often since the last record about it; 0 is once
}
