package winstate_test

// line is one build of Windows as docs/checks.md has it: what it says of itself, what it should have by the table of the tests, and
// how its end of support is judged on the day of the tests.
type line struct {
	build, revision uint32
	install         string
	edition         string
	kb              string
	support         string
}

func lines() []line {
	return []line{
		{14393, 9339, "Server", "ServerStandard", "KB5099535", "pass"},
		{14393, 9339, "Client", "EnterpriseS", "KB5099535", "unknown no_reference"}, // LTSB 2016 is not in the table
		{17763, 9020, "Server", "ServerDatacenter", "KB5099538", "pass"},
		{17763, 9020, "Client", "EnterpriseS", "KB5099538", "unknown no_reference"}, // LTSC 2019
		{19044, 7548, "Client", "EnterpriseS", "KB5099539", "pass"},
		{19044, 7548, "Client", "IoTEnterpriseS", "KB5099539", "pass"},
		{19045, 7548, "Client", "Professional", "KB5099539", "fail ended"}, // no extension is active here
		{20348, 5386, "Server", "ServerStandard", "KB5099540", "pass"},
		{20348, 5386, "Server Core", "ServerStandard", "KB5099540", "pass"},
		{22631, 7376, "Client", "Enterprise", "KB5099414", "fail ended"},
		{25398, 2330, "Server Core", "ServerDatacenter", "KB5087541", "fail ended"},
		{26100, 8973, "Client", "Enterprise", "KB5101684", "pass"},
		{26100, 8973, "Client", "Professional", "KB5101684", "fail ended"},
		{26100, 8973, "Client", "EnterpriseS", "KB5101684", "pass"},
		{26100, 33158, "Server", "ServerStandard", "KB5099536", "pass"},
		{26100, 33158, "Server Core", "ServerDatacenter", "KB5099536", "pass"},
		{26200, 8973, "Client", "Professional", "KB5101684", "pass"},
		{28000, 2608, "Client", "Education", "KB5101681", "pass"},
	}
}

// buildState is one way in which a build may say what it is.
type buildState struct {
	name  string
	level string           // the verdict on patches
	names bool             // the missing update is named
	set   func(line) value // what is otherwise in the registry
}

const (
	versionKey = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	ubr        = "UBR"
)

func buildStates() []buildState {
	put := func(name string, c cell) func(line) value {
		return func(line) value { return in(versionKey, name).is(c) }
	}
	return []buildState{
		{"current", "pass", false, func(l line) value { return in(versionKey, ubr).is(number(l.revision)) }},
		{"one revision behind", "fail behind", true, func(l line) value { return in(versionKey, ubr).is(number(l.revision - 1)) }},
		{"newer than the table", "pass", false, func(l line) value { return in(versionKey, ubr).is(number(l.revision + 500)) }},
		{"revision 0", "fail behind", true, put(ubr, number(0))},
		{"no revision", "unknown missing", false, put(ubr, gone)},
		{"bytes for a revision", "unknown wrong_type", false, put(ubr, bytes(1, 2, 3, 4))},
		{"words for a revision", "unknown wrong_type", false, put(ubr, words("new"))},
		{"a revision that cannot be", "unknown failed", false, put(ubr, number(1_000_000))},
		{"no build", "unknown missing", false, put("CurrentBuildNumber", gone)},
		{"words for a build", "unknown wrong_type", false, put("CurrentBuildNumber", words("Windows 11"))},
		{"a build that the table does not have", "unknown no_reference", false, put("CurrentBuildNumber", words("27500"))},
		{"neither client nor server", "unknown missing", false, put("InstallationType", gone)},
		{"an installation that nobody knows", "unknown no_reference", false, put("InstallationType", words("Nano"))},
		{"no edition", "unknown missing", false, put("EditionID", gone)},
	}
}

var gone = cell{gone: true}
