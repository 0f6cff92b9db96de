package health

import "sekisho/internal/osexec"

// fixed are the commands of probes. Each only tells what is; none updates, scans or asks anybody outside.
var fixed = map[string]fixedCommand{
	"mdatp-health":        {osexec.Mdatp, []string{"health", "--output", "json"}},
	"ds-agent-status":     {osexec.DSQuery, []string{"-c", "GetAgentStatus"}},
	"ds-agent-components": {osexec.DSQuery, []string{"-c", "GetComponentInfo"}},
	"eset-modules":        {osexec.ESETUpd, []string{"--list-modules"}},
	"eset-licence":        {osexec.ESETLic, []string{"--status"}},
	"kesl-info":           {osexec.KESLControl, []string{"--app-info", "--json"}},
	"isecav-version":      {osexec.ISecAV, []string{"--version"}},
	"falcon-state":        {osexec.FalconCtl, []string{"-g", "--version", "--rfm-state"}},
	"sentinel-version":    {osexec.SentinelCtl, []string{"version"}},
	"sentinel-status":     {osexec.SentinelCtl, []string{"control", "status"}},
	"sophos-update":       {osexec.SAVDStatus, []string{"--lastupdate"}},
}
