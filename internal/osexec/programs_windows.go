package osexec

import "os/exec"

// The programs that Windows has; all of them only look. dsa_query is a batch file of its maker: Windows itself starts its
// interpreter for it, and its arguments are constants.
const (
	DSQuery     Program = "dsa_query"
	Bitdefender Program = "product.console"
	Cytool      Program = "cytool"
)

var programs = map[Program][]string{
	DSQuery:     {`C:\Program Files\Trend Micro\Deep Security Agent\dsa_query.cmd`},
	Bitdefender: {`C:\Program Files\Bitdefender\Endpoint Security\product.console.exe`},
	Cytool:      {`C:\Program Files\Palo Alto Networks\Traps\cytool.exe`},
}

func setUser(*exec.Cmd, Options) {}
