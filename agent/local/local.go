// Package local is the agent's face on the terminal itself: what the user is told, and the channel that answers
// `sekisho-agent status`, `doctor` and `request`. It never decides, and nothing that comes in
// over the channel changes what is permitted.
package local
