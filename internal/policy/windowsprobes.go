package policy

// Where Windows keeps what the probes below read. A path below SOFTWARE is looked for in both views (View ""): products of 32 bits
// stand below WOW6432Node.
const (
	defenderKey   = `HKLM\SOFTWARE\Microsoft\Windows Defender`
	defenderRules = `HKLM\SOFTWARE\Policies\Microsoft\Windows Defender`
	defenderSpace = `root\Microsoft\Windows\Defender`
	defenderClass = "MSFT_MpComputerStatus"
	trendKey      = `HKLM\SOFTWARE\TrendMicro\PC-cillinNTCorp\CurrentVersion`
	symantecKey   = `HKLM\SOFTWARE\Symantec\Symantec Endpoint Protection`
	esetKey       = `HKLM\SOFTWARE\ESET\ESET Security\CurrentVersion\Info`
	mcafeeKey     = `HKLM\SOFTWARE\McAfee`
	symantecDefs  = `C:\ProgramData\Symantec\Symantec Endpoint Protection\CurrentVersion\Data\Definitions\SDSDefs\definfo.dat`
)

// DefenderProbe is the id of the probe whose product Windows brings itself: a second witness speaks of it alone.
const DefenderProbe = "defender"

func windowsProbes() []Probe {
	return append(append(patternProbes(), quietProbes()...), patternlessProbes()...)
}

func inRegistry(key string, values ...string) []Place {
	var out []Place
	for _, v := range values {
		out = append(out, Place{Kind: PlaceRegistry, Path: key, Value: v})
	}
	return out
}

// cutOf takes a part of a registry value's text.
func cutOf(key, value, match string) []Place {
	return []Place{{Kind: PlaceRegistry, Path: key, Value: value, Match: match}}
}

func services(names ...string) []Place {
	var out []Place
	for _, n := range names {
		out = append(out, Place{Kind: PlaceService, Value: n})
	}
	return out
}

func ofDefender(property string) []Place {
	return []Place{{Kind: PlaceWMI, Path: defenderSpace, Class: defenderClass, Value: property}}
}

func asked(command, match string) []Place {
	return []Place{{Kind: PlaceCommand, Command: command, Match: match}}
}

func fact(name string, place []Place, f Form) ProbeFact {
	f.Type = factTypes[name]
	return ProbeFact{Fact: name, Place: place, Form: f}
}

func running(names ...string) ProbeFact { return fact(FactRunning, services(names...), Form{}) }

// neverCIM is how a moment looks that never came (Microsoft, MSFT_MpComputerStatus: the years before FILETIME begins).
var neverCIM = []string{"16001231*", "16010101*"}

// patternProbes are products that say how old their patterns are.
func patternProbes() []Probe {
	return []Probe{
		{
			// Microsoft, "Get-MpComputerStatus"; the registry is read first: it needs no service and cannot hang.
			// AVSignatureApplied is when the signature was made, in spite of its name (Defender for Endpoint client analyzer).
			ID: DefenderProbe, Product: "Microsoft Defender Antivirus", OS: "windows", Detect: services("WinDefend"),
			Center: []string{"Windows Defender*", "Microsoft Defender*"},
			Facts: []ProbeFact{
				running("WinDefend"),
				fact(FactRealtime, ofDefender("RealTimeProtectionEnabled"), Form{}),
				// What was written down can only say that it is off: that it is on is seen, not set.
				fact(FactRealtime, append(inRegistry(defenderRules+`\Real-Time Protection`, "DisableRealtimeMonitoring"), inRegistry(defenderKey+`\Real-Time Protection`, "DisableRealtimeMonitoring")...), Form{False: []string{"1"}}),
				fact(FactReduced, ofDefender("AMRunningMode"), Form{True: []string{"Passive*", "SxS*", "EDR*", "Not*"}, False: []string{"Normal*"}}),
				fact(FactTamper, ofDefender("IsTamperProtected"), Form{}),
				fact(FactVersion, ofDefender("AMProductVersion"), Form{}),
				fact(FactPatternDate, inRegistry(defenderKey+`\Signature Updates`, "AVSignatureApplied"), Form{Date: DateFiletime}),
				fact(FactPatternVersion, inRegistry(defenderKey+`\Signature Updates`, "AVSignatureVersion"), Form{}),
				fact(FactPatternApplied, inRegistry(defenderKey+`\Signature Updates`, "SignaturesLastUpdated"), Form{Date: DateFiletime}),
				fact(FactPatternApplied, ofDefender("AntivirusSignatureLastUpdated"), Form{Date: DateCIM, Never: neverCIM}),
				fact(FactScanQuick, ofDefender("QuickScanEndTime"), Form{Date: DateCIM, Never: neverCIM}),
				fact(FactScanFull, ofDefender("FullScanEndTime"), Form{Date: DateCIM, Never: neverCIM}),
			},
		},
		{
			// The dot at the end of Misc. belongs to the name. With Smart Scan the classic pattern may stay old: the newer date counts.
			ID: "apex-one", Product: "Trend Micro Apex One / ウイルスバスター コーポレートエディション", OS: "windows", Detect: services("ntrtscan"),
			Center: []string{"Trend Micro*", "ウイルスバスター*"},
			Facts: []ProbeFact{
				running("ntrtscan"),
				fact(FactRealtime, inRegistry(trendKey+`\Real Time Scan Configuration`, "Enable"), Form{}),
				fact(FactVersion, inRegistry(trendKey+`\Misc.`, "ProgramVer", "TmListen_Ver"), Form{}),
				fact(FactPatternDate, inRegistry(trendKey+`\Misc.`, "PatternDate", "NonCrcPatternDate"), Form{Date: DateYMD, Zone: "+09:00"}),
				fact(FactPatternVersion, inRegistry(trendKey+`\Misc.`, "InternalPatternVer", "InternalNonCrcPatternVer"), Form{}),
				fact(FactPatternApplied, inRegistry(trendKey+`\Misc.`, "LastUpdateTime"), Form{Date: DateUnix}),
			},
		},
		{
			// Broadcom KB 152404 for the dates.
			ID: "symantec", Product: "Symantec Endpoint Protection", OS: "windows", Detect: services("SepMasterService"),
			Center: []string{"Symantec*", "Norton*"},
			Facts: []ProbeFact{
				running("SepMasterService"),
				fact(FactRealtime, inRegistry(symantecKey+`\AV\Storages\Filesystem\RealTimeScan`, "OnOff"), Form{}),
				fact(FactVersion, inRegistry(symantecKey+`\CurrentVersion`, "PRODUCTVERSION"), Form{}),
				fact(FactPatternDate, []Place{{Kind: PlaceFile, Path: symantecDefs, Match: `CurDefs=(\d{8})`}}, Form{Date: DateYMD}),
				fact(FactPatternDate, inRegistry(symantecKey+`\CurrentVersion\public-opstate`, "LatestVirusDefsDate"), Form{Date: DateYMD}),
				fact(FactPatternDate, inRegistry(symantecKey+`\AV`, "PatternFileDate"), Form{Date: DateSEPBytes}),
				fact(FactPatternDate, inRegistry(symantecKey+`\AV`, "UsingPattern"), Form{Date: DateSEPWord}),
				fact(FactScanQuick, inRegistry(symantecKey+`\CurrentVersion\public-opstate`, "LastSuccessfulScanDateTime"), Form{Date: DateYMD}),
			},
		},
		{
			ID: "eset-windows", Product: "ESET Endpoint / Server Security", OS: "windows", Detect: services("ekrn"), Center: []string{"ESET*"},
			Facts: []ProbeFact{
				running("ekrn"),
				fact(FactVersion, inRegistry(esetKey, "ProductVersion"), Form{}),
				fact(FactPatternDate, cutOf(esetKey, "ScannerVersion", `\((\d{8})\)`), Form{Date: DateYMD}),
				fact(FactPatternVersion, cutOf(esetKey, "ScannerVersion", `^(\d+)`), Form{}),
			},
		},
		{
			ID: "mcafee-vse", Product: "McAfee VirusScan Enterprise", OS: "windows", Detect: inRegistry(mcafeeKey+`\DesktopProtection`, "szProductVer"),
			Center: []string{"McAfee VirusScan*"},
			Facts: []ProbeFact{
				running("McShield"),
				fact(FactVersion, inRegistry(mcafeeKey+`\DesktopProtection`, "szProductVer"), Form{}),
				fact(FactPatternDate, inRegistry(mcafeeKey+`\AVEngine`, "AVDatDate"), Form{Date: DateYMD}),
				fact(FactPatternVersion, inRegistry(mcafeeKey+`\AVEngine`, "AVDatVersion"), Form{}),
			},
		},
		{
			ID: "trellix-ens", Product: "Trellix / McAfee Endpoint Security", OS: "windows", Detect: inRegistry(mcafeeKey+`\Endpoint\AV`, "ProductVersion"),
			Center: []string{"McAfee Endpoint*", "Trellix*"},
			Facts: []ProbeFact{
				running("mfetp", "McShield"),
				fact(FactRealtime, inRegistry(mcafeeKey+`\AVSolution\MCSHIELDGLOBAL\GLOBAL`, "enableoas"), Form{}),
				fact(FactVersion, inRegistry(mcafeeKey+`\Endpoint\AV`, "ProductVersion"), Form{}),
				fact(FactPatternDate, inRegistry(mcafeeKey+`\AVSolution\DS\DS`, "szContentCreationDate"), Form{Date: DateYMD}),
				fact(FactPatternVersion, inRegistry(mcafeeKey+`\AVSolution\DS\DS`, "dwContentMajorVersion"), Form{}),
				fact(FactScanFull, inRegistry(mcafeeKey+`\Endpoint\AV\ODS`, "LastFullScanOdsRunTime"), Form{Date: DateYMD, Zone: "+09:00"}),
			},
		},
		{
			ID: "withsecure", Product: "WithSecure / F-Secure", OS: "windows", Detect: services("fsulhoster", "fshoster"), Center: []string{"WithSecure*", "F-Secure*"},
			Facts: []ProbeFact{
				running("fsulhoster", "fshoster"),
				fact(FactPatternDate, cutOf(`HKLM\SOFTWARE\F-Secure\Ultralight\Updates\aquarius\*`, "file_set_visible_version", `^(\d{4}-\d{2}-\d{2})_`), Form{Date: DateYMD}),
				fact(FactPatternVersion, inRegistry(`HKLM\SOFTWARE\F-Secure\Ultralight\Updates\aquarius\*`, "file_set_visible_version"), Form{}),
			},
		},
	}
}

// quietProbes are products with patterns whose date they keep to themselves: how old the patterns are stays unknown, and
// nobody takes the day of an update for it.
func quietProbes() []Probe {
	return []Probe{
		{
			ID: "business-security", Product: "Trend Micro ビジネスセキュリティ", OS: "windows", Detect: inRegistry(`HKLM\SOFTWARE\TrendMicro\UniClient\1600\Update`, "LastUpdateTime"),
			Center: []string{"Trend Micro*", "ウイルスバスター*"},
			Facts: []ProbeFact{
				running("Amsp", "TmPfw"),
				fact(FactRealtime, inRegistry(`HKLM\SOFTWARE\TrendMicro\UniClient\1600\Scan\Real Time`, "Enable"), Form{}),
				fact(FactPatternApplied, inRegistry(`HKLM\SOFTWARE\TrendMicro\UniClient\1600\Update`, "LastUpdateTime"), Form{Date: DateUnix}),
			},
		},
		{
			ID: "deep-security-windows", Product: "Trend Micro Deep Security Agent", OS: "windows", Detect: services("ds_agent"),
			Facts: []ProbeFact{
				running("ds_agent"),
				fact(FactRealtime, asked("ds-agent-components", `Component\.AM\.mode:\s*(\w+)`), Form{True: []string{"on"}, False: []string{"off"}}),
				fact(FactReduced, asked("ds-agent-components", `Component\.AM\.driverOffline:\s*(\w+)`), Form{}),
			},
		},
		{
			// LicDaysTillExpiration counts from a day that is not told: it is not read.
			ID: "kaspersky", Product: "Kaspersky Endpoint Security", OS: "windows", Center: []string{"Kaspersky*"},
			Detect: []Place{{Kind: PlaceExists, Path: `C:\Program Files (x86)\Kaspersky Lab\*\avp.exe`}, {Kind: PlaceExists, Path: `C:\Program Files\Kaspersky Lab\*\avp.exe`}},
			Facts: []ProbeFact{
				fact(FactRunning, []Place{{Kind: PlaceProcess, Value: "avp.exe"}}, Form{}),
				fact(FactPatternApplied, inRegistry(`HKLM\SOFTWARE\KasperskyLab\protected\*\Data`, "LastSuccessfulUpdate"), Form{Date: DateUnix, Never: []string{"4294967295"}}),
			},
		},
		{
			ID: "sophos", Product: "Sophos Endpoint", OS: "windows", Detect: services("Sophos Endpoint Defense Service", "SAVService"), Center: []string{"Sophos*"},
			Facts: []ProbeFact{
				running("Sophos Endpoint Defense Service", "SAVService"),
				fact(FactPatternApplied, inRegistry(`HKLM\SOFTWARE\Sophos\AutoUpdate\UpdateStatus`, "LastUpdateTime"), Form{Date: DateUnix}),
			},
		},
		{
			ID: "bitdefender", Product: "Bitdefender Endpoint Security", OS: "windows", Detect: services("EPSecurityService"), Center: []string{"Bitdefender*"},
			Facts: []ProbeFact{
				running("EPSecurityService"),
				fact(FactPatternVersion, asked("bitdefender-version", `(\d+(?:\.\d+){1,4})`), Form{}),
				fact(FactPatternApplied, asked("bitdefender-update", `lastSucceededTime\W{1,8}(\d{9,11})`), Form{Date: DateUnix}),
			},
		},
	}
}

// patternlessProbes are products that need no pattern files; they are judged by whether they work.
func patternlessProbes() []Probe {
	by := func(id, product, service, driver string, center ...string) Probe {
		return Probe{ID: id, Product: product, OS: "windows", Patternless: true, Detect: services(service), Center: center,
			Facts: []ProbeFact{running(service), fact(FactRealtime, services(driver), Form{})}}
	}
	falcon := by("falcon-windows", "CrowdStrike Falcon", "CSFalconService", "CSAgent", "CrowdStrike*") // CSAgent is its driver
	cybereason := by("cybereason", "Cybereason", "CybereasonActiveProbe", "CybereasonActiveProbe", "Cybereason*")
	cybereason.Facts = append(cybereason.Facts, fact(FactVersion, inRegistry(`HKLM\SOFTWARE\Cybereason\ActiveProbe`, "EDRProductVersion"), Form{}))
	cortex := by("cortex-xdr", "Cortex XDR", "cyserver", "cyserver", "Cortex XDR*", "Palo Alto*")
	cortex.Facts = append(cortex.Facts, fact(FactPatternVersion, asked("cytool-info", `Content Version:\s*(\S{1,40})`), Form{}))
	return []Probe{
		falcon, cybereason, cortex,
		by("sentinelone-windows", "SentinelOne", "SentinelAgent", "SentinelMonitor", "Sentinel*"), // SentinelMonitor is its driver
		by("yarai", "FFRI yarai", "ScanEngine", "ScanEngine", "FFRI*"),                            // the maker says that it uses none (supportyarai.ffri.jp, FAQ 415)
	}
}
