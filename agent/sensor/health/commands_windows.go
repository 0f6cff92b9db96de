package health

import "sekisho/internal/osexec"

// fixed are the commands of probes. Each only tells what is; none updates, scans or asks anybody outside.
var fixed = map[string]fixedCommand{
	"ds-agent-status":     {osexec.DSQuery, []string{"-c", "GetAgentStatus"}},
	"ds-agent-components": {osexec.DSQuery, []string{"-c", "GetComponentInfo"}},
	"bitdefender-version": {osexec.Bitdefender, []string{"/c", "GetVersion", "antivirus"}},
	"bitdefender-update":  {osexec.Bitdefender, []string{"/c", "GetUpdateStatus", "antivirus"}},
	"cytool-info":         {osexec.Cytool, []string{"info", "query"}},
}
