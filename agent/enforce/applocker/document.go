package applocker

import "strings"

// Document is the whole policy as the tools of Windows read it (Test-AppLockerPolicy, Set-AppLockerPolicy;
// https://learn.microsoft.com/powershell/module/applocker/), for people: the registry gets each rule by itself.
func (p Policy) Document() string {
	mode := "AuditOnly"
	if p.Enforce {
		mode = "Enabled"
	}
	var b strings.Builder
	b.WriteString(`<AppLockerPolicy Version="1">` + "\n")
	for _, c := range Written() {
		b.WriteString(`<RuleCollection Type="` + string(c) + `" EnforcementMode="` + mode + `">` + "\n")
		for _, r := range p.Rules {
			if r.Collection == c {
				b.WriteString(r.XML + "\n")
			}
		}
		b.WriteString("</RuleCollection>\n")
	}
	b.WriteString("</AppLockerPolicy>\n")
	return b.String()
}
