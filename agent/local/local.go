// Package local is the agent's face on the terminal itself: what the user is told, and the socket that answers
// `sekisho-agent status` and `doctor`. It never decides, and nothing that comes in over its socket changes anything.
package local
