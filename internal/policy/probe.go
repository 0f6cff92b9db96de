package policy

// Probe tells a terminal how to recognise one product and where its facts stand. It is data: an administrator adds a
// product without a new release. Nothing in it can run a program but one of the fixed commands, by its name.
type Probe struct {
	ID          string      `json:"id"`      // "clamav"
	Product     string      `json:"product"` // for people: "ClamAV"
	OS          string      `json:"os"`      // linux, windows
	Detect      []Place     `json:"detect"`  // it is installed when one of these is there
	Facts       []ProbeFact `json:"facts,omitempty"`
	Patternless bool        `json:"patternless,omitempty"` // it works without pattern files
	Center      []string    `json:"center,omitempty"`      // patterns of the names under which Windows Security Center knows it
	Off         bool        `json:"off,omitempty"`
}

// ProbeFact is one fact of a product, where it stands and how it is written there. Several of one fact are tried in their
// order; the first that can be read counts, of dates the newest.
type ProbeFact struct {
	Fact  string  `json:"fact"` // Fact… constants
	Place []Place `json:"place"`
	Form  Form    `json:"form"`
}

// PlaceKind is a kind of source.
type PlaceKind string

// The kinds of sources.
const (
	PlaceRegistry PlaceKind = "registry" // Path is the key, Value the value's name, View 64, 32 or "" for both
	PlaceFile     PlaceKind = "file"     // Path; Match finds the value in its text
	PlaceHeader   PlaceKind = "header"   // Path; the first Size bytes, cut at Separator, field number Field
	PlaceCommand  PlaceKind = "command"  // Command is one of Commands(); Match finds the value in what it says
	PlaceWMI      PlaceKind = "wmi"      // Path is the namespace, Class the class, Value the property
	PlaceSystem   PlaceKind = "system"   // Path below /sys or /proc; the whole short text
	PlaceExists   PlaceKind = "exists"   // Path of a file or folder; true when it is there
	PlaceService  PlaceKind = "service"  // Value is the unit's or service's name; running, stopped or absent
	PlaceProcess  PlaceKind = "process"  // Value is the program's base name; true when it runs
	PlaceTime     PlaceKind = "time"     // Path; when the file was changed last
)

// Place is one source.
type Place struct {
	Kind      PlaceKind `json:"kind"`
	Path      string    `json:"path,omitempty"`      // absolute; * stands for any characters of one name
	Value     string    `json:"value,omitempty"`     // name of a registry value, a property, a service, a program
	View      string    `json:"view,omitempty"`      // "64", "32" or "" for both
	Class     string    `json:"class,omitempty"`     // of WMI
	Command   string    `json:"command,omitempty"`   // name of a fixed command
	Match     string    `json:"match,omitempty"`     // RE2 expression; its first group is the value. A registry value and a property are taken whole without one
	Size      int       `json:"size,omitempty"`      // bytes of a header
	Separator string    `json:"separator,omitempty"` // one character
	Field     int       `json:"field,omitempty"`     // from 0
	Begin     string    `json:"begin,omitempty"`     // what a header must begin with
}

// ValueType is what a value is.
type ValueType string

// The types of values.
const (
	TypeBool   ValueType = "bool"
	TypeNumber ValueType = "number"
	TypeTime   ValueType = "time"
	TypeText   ValueType = "text"
	TypeList   ValueType = "list" // of built-in facts only
)

// Form is how a value is written and what can be true of it.
type Form struct {
	Type  ValueType `json:"type"`
	Unit  string    `json:"unit,omitempty"`  // of a number: Unit… constants; it is turned into minutes, characters, a count
	Date  DateForm  `json:"date,omitempty"`  // of a time
	Zone  string    `json:"zone,omitempty"`  // of a date that names none: +09:00; "" is UTC
	True  []string  `json:"true,omitempty"`  // of a bool: what means yes …
	False []string  `json:"false,omitempty"` // … and what means no; anything else cannot be judged
	Never []string  `json:"never,omitempty"` // of a time: what means that it never happened
	Min   *int64    `json:"min,omitempty"`   // of a number: what is below cannot be true
	Max   *int64    `json:"max,omitempty"`
	After string    `json:"after,omitempty"` // of a time: days before cannot be true; "" is 2000-01-01
}

// Commands gives the names of the fixed commands that a probe may ask for. The agent alone knows which program and which
// arguments stand behind a name; each only tells what is.
func Commands() []string {
	return []string{
		"mdatp-health", "ds-agent-status", "ds-agent-components", "eset-modules", "eset-licence", "kesl-info", "isecav-version",
		"falcon-state", "sentinel-version", "sentinel-status", "sophos-update",
		"bitdefender-version", "bitdefender-update", "kescli-definitions", "cytool-info",
	}
}

// The facts of a product that a probe may tell, and what each is.
const (
	FactInstalled      = "antivirus.installed"
	FactRunning        = "antivirus.running"
	FactRealtime       = "antivirus.realtime"
	FactTamper         = "antivirus.tamper_protection"
	FactVersion        = "antivirus.version"
	FactPatternVersion = "antivirus.pattern_version"
	FactPatternDate    = "antivirus.pattern_date"    // made by the vendor
	FactPatternApplied = "antivirus.pattern_applied" // put to use on the terminal
	FactScanQuick      = "antivirus.scan_quick"
	FactScanFull       = "antivirus.scan_full"
	FactLicenceEnd     = "antivirus.licence_end"
	FactReduced        = "antivirus.reduced" // it works, but less than it should
	FactPatternless    = "antivirus.patternless"
)

// The facts that the agent reads without a probe.
const (
	FactUpdates     = "patch.updates"      // list: security updates that are not applied; At is when they came out
	FactUpdatesAsOf = "patch.updates_asof" // time: how old the lists are that FactUpdates was read from
	FactUpdated     = "patch.updated"      // time: last successful update
	FactReboots     = "patch.reboots"      // list: what waits for a restart
	FactSupportEnd  = "patch.support_end"  // time

	FactFirewall     = "settings.firewall"        // bool, one for each profile or manager (Product)
	FactEncrypted    = "settings.disk_encryption" // bool, one for each volume
	FactBootPassword = "settings.boot_password"
	FactSecureBoot   = "settings.secure_boot"
	FactLockIdle     = "settings.lock_idle"        // number: minutes; 0 is never
	FactAutologin    = "settings.autologin"        // list: who is logged in without a password
	FactGuests       = "settings.guests"           // list: guest accounts that may be used
	FactAdmins       = "settings.admins"           // list: accounts
	FactAccounts     = "settings.accounts"         // list: people's accounts; At is the last login, zero is never
	FactMinLength    = "settings.password_length"  // number: characters
	FactWeak         = "settings.passwords_weak"   // list: accounts without a password, other gaps
	FactAutorun      = "settings.autorun"          // bool: it is on
	FactRemote       = "settings.remote"           // list: remote control that is listening or running
	FactOffset       = "settings.clock_offset"     // number: seconds, either way
	FactHardware     = "settings.hardware_changes" // list: what is other than it was

	FactCards    = "network.cards"    // list: physical cards with a link: "eth0 52:54:00:12:34:56"
	FactWifi     = "network.wifi"     // list: names of the wireless networks in use
	FactTethers  = "network.tethers"  // list
	FactModems   = "network.modems"   // list
	FactRoutes   = "network.routes"   // list: default routes: "eth0 192.0.2.1"
	FactGateways = "network.gateways" // list: MAC addresses of the default routes' next hops
	FactVPNs     = "network.vpns"     // list
	FactProxies  = "network.proxies"  // list
)

var factTypes = map[string]ValueType{
	FactInstalled: TypeBool, FactRunning: TypeBool, FactRealtime: TypeBool, FactTamper: TypeBool, FactVersion: TypeText,
	FactPatternVersion: TypeText, FactPatternDate: TypeTime, FactPatternApplied: TypeTime, FactScanQuick: TypeTime, FactScanFull: TypeTime,
	FactLicenceEnd: TypeTime, FactReduced: TypeBool, FactPatternless: TypeBool,

	FactUpdates: TypeList, FactUpdatesAsOf: TypeTime, FactUpdated: TypeTime, FactReboots: TypeList, FactSupportEnd: TypeTime,

	FactFirewall: TypeBool, FactEncrypted: TypeBool, FactBootPassword: TypeBool, FactSecureBoot: TypeBool, FactLockIdle: TypeNumber,
	FactAutologin: TypeList, FactGuests: TypeList, FactAdmins: TypeList, FactAccounts: TypeList, FactMinLength: TypeNumber, FactWeak: TypeList,
	FactAutorun: TypeBool, FactRemote: TypeList, FactOffset: TypeNumber, FactHardware: TypeList,

	FactCards: TypeList, FactWifi: TypeList, FactTethers: TypeList, FactModems: TypeList, FactRoutes: TypeList, FactGateways: TypeList,
	FactVPNs: TypeList, FactProxies: TypeList,
}

// FactType gives what a fact is; "" for one that is not known.
func FactType(fact string) ValueType { return factTypes[fact] }
