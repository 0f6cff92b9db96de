package health

// fixed are the commands of probes. Each only tells what is; none updates, scans or asks anybody outside.
var fixed = map[string]fixedCommand{}
