package policy

// linuxProbes are the products that are met on Linux.
func linuxProbes() []Probe {
	clamav := func(name string) []Place {
		var out []Place
		for _, dir := range []string{"/var/lib/clamav/", "/usr/local/share/clamav/"} {
			for _, ext := range []string{".cld", ".cvd"} {
				out = append(out, Place{Kind: PlaceHeader, Path: dir + name + ext, Size: 512, Separator: ":", Begin: "ClamAV-VDB:"})
			}
		}
		return out
	}
	field := func(n int, list []Place) []Place {
		for i := range list {
			list[i].Field = n
		}
		return list
	}
	return []Probe{
		{
			// ClamAV documentation, "Creating signatures", CVD header; and libclamav/cvd.c
			ID: "clamav", Product: "ClamAV", OS: "linux",
			Detect: []Place{{Kind: PlaceExists, Path: "/usr/sbin/clamd"}, {Kind: PlaceExists, Path: "/usr/local/sbin/clamd"}, {Kind: PlaceExists, Path: "/usr/bin/clamscan"}},
			Facts: []ProbeFact{
				{Fact: FactRunning, Place: []Place{{Kind: PlaceProcess, Value: "clamd"}}, Form: Form{Type: TypeBool}},
				{Fact: FactRealtime, Place: []Place{{Kind: PlaceProcess, Value: "clamonacc"}}, Form: Form{Type: TypeBool}},
				{Fact: FactPatternDate, Place: field(8, clamav("daily")), Form: Form{Type: TypeTime, Date: DateUnix}},
				{Fact: FactPatternDate, Place: field(1, clamav("daily")), Form: Form{Type: TypeTime, Date: DateClamAV}},
				{Fact: FactPatternVersion, Place: field(2, clamav("daily")), Form: Form{Type: TypeText}},
			},
		},
		{
			// Microsoft, "Deploy Defender for Endpoint on Linux: resources", mdatp health
			ID: "mdatp", Product: "Microsoft Defender for Endpoint", OS: "linux",
			Detect: []Place{{Kind: PlaceExists, Path: "/opt/microsoft/mdatp/sbin/wdavdaemon"}},
			Facts: []ProbeFact{
				{Fact: FactRunning, Place: []Place{{Kind: PlaceProcess, Value: "wdavdaemon"}}, Form: Form{Type: TypeBool}},
				{Fact: FactRealtime, Place: []Place{{Kind: PlaceCommand, Command: "mdatp-health", Match: `"realTimeProtectionEnabled"\s*:\s*(?:\{[^{}]*"value"\s*:\s*)?(true|false)`}}, Form: Form{Type: TypeBool}},
				{Fact: FactReduced, Place: []Place{{Kind: PlaceCommand, Command: "mdatp-health", Match: `"passiveModeEnabled"\s*:\s*(?:\{[^{}]*"value"\s*:\s*)?(true|false)`}}, Form: Form{Type: TypeBool}},
				{Fact: FactPatternDate, Place: []Place{{Kind: PlaceCommand, Command: "mdatp-health", Match: `"definitionsUpdated"\s*:\s*"?(\d{1,15})"?`}}, Form: Form{Type: TypeTime, Date: DateUnixMS}},
				{Fact: FactPatternVersion, Place: []Place{{Kind: PlaceCommand, Command: "mdatp-health", Match: `"definitionsVersion"\s*:\s*"([^"]{1,64})"`}}, Form: Form{Type: TypeText}},
				{Fact: FactLicenceEnd, Place: []Place{{Kind: PlaceCommand, Command: "mdatp-health", Match: `"productExpiration"\s*:\s*"?(\d{1,15})"?`}}, Form: Form{Type: TypeTime, Date: DateUnixMS}},
				{Fact: FactVersion, Place: []Place{{Kind: PlaceCommand, Command: "mdatp-health", Match: `"appVersion"\s*:\s*"([^"]{1,64})"`}}, Form: Form{Type: TypeText}},
			},
		},
		{
			ID: "eset-endpoint", Product: "ESET Endpoint Antivirus", OS: "linux",
			Detect: []Place{{Kind: PlaceExists, Path: "/opt/eset/eea/bin/upd"}, {Kind: PlaceExists, Path: "/opt/eset/efs/bin/upd"}},
			Facts: []ProbeFact{
				{Fact: FactRunning, Place: []Place{{Kind: PlaceService, Value: "eea.service"}, {Kind: PlaceService, Value: "efs.service"}}, Form: Form{Type: TypeBool}},
				{Fact: FactPatternDate, Place: []Place{{Kind: PlaceCommand, Command: "eset-modules", Match: `EM002\s+\d+\s+\((\d{8})\)`}}, Form: Form{Type: TypeTime, Date: DateYMD}},
				{Fact: FactPatternVersion, Place: []Place{{Kind: PlaceCommand, Command: "eset-modules", Match: `EM002\s+(\d+)`}}, Form: Form{Type: TypeText}},
			},
		},
		{
			ID: "deep-security", Product: "Trend Micro Deep Security Agent", OS: "linux",
			Detect: []Place{{Kind: PlaceExists, Path: "/opt/ds_agent/ds_agent"}},
			Facts: []ProbeFact{
				{Fact: FactRunning, Place: []Place{{Kind: PlaceCommand, Command: "ds-agent-status", Match: `AgentStatus\.agentState:\s*(\w+)`}}, Form: Form{Type: TypeBool, True: []string{"green"}, False: []string{"yellow", "red", "grey"}}},
				{Fact: FactRealtime, Place: []Place{{Kind: PlaceCommand, Command: "ds-agent-components", Match: `Component\.AM\.mode:\s*(\w+)`}}, Form: Form{Type: TypeBool, True: []string{"on"}, False: []string{"off"}}},
				{Fact: FactReduced, Place: []Place{{Kind: PlaceCommand, Command: "ds-agent-components", Match: `Component\.AM\.driverOffline:\s*(\w+)`}}, Form: Form{Type: TypeBool}},
			},
		},
		{
			ID: "falcon", Product: "CrowdStrike Falcon", OS: "linux", Patternless: true,
			Detect: []Place{{Kind: PlaceExists, Path: "/opt/CrowdStrike/falconctl"}},
			Facts: []ProbeFact{
				{Fact: FactRunning, Place: []Place{{Kind: PlaceProcess, Value: "falcon-sensor"}, {Kind: PlaceProcess, Value: "falcon-sensor-bpf"}}, Form: Form{Type: TypeBool}},
				{Fact: FactRealtime, Place: []Place{{Kind: PlaceCommand, Command: "falcon-state", Match: `rfm-state\s*=\s*(true|false)`}}, Form: Form{Type: TypeBool, True: []string{"false"}, False: []string{"true"}}},
				{Fact: FactVersion, Place: []Place{{Kind: PlaceCommand, Command: "falcon-state", Match: `version\s*=\s*([0-9.]+)`}}, Form: Form{Type: TypeText}},
			},
		},
		{
			ID: "sentinelone", Product: "SentinelOne", OS: "linux", Patternless: true,
			Detect: []Place{{Kind: PlaceExists, Path: "/opt/sentinelone/bin/sentinelctl"}},
			Facts: []ProbeFact{
				{Fact: FactRunning, Place: []Place{{Kind: PlaceService, Value: "sentinelone.service"}}, Form: Form{Type: TypeBool}},
				{Fact: FactRealtime, Place: []Place{{Kind: PlaceCommand, Command: "sentinel-status", Match: `(?i)agent state\s*:?\s*(\w+)`}}, Form: Form{Type: TypeBool, True: []string{"enabled"}, False: []string{"disabled"}}},
			},
		},
	}
}
