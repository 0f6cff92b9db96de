package agentapi

// Bounds of a batch's form. An honest one has 500 records and some hundred devices, and is some ten levels deep.
const (
	maxMembers = 4096
	maxDepth   = 64
)

// crowded says that a list or object has more members than any honest one. JSON may spend two bytes on a member
// that takes a kilobyte when it is read, so this is looked at before anything is.
func crowded(raw []byte) bool {
	var members [maxDepth]int
	depth, text, escaped := 0, false, false
	for _, c := range raw {
		switch {
		case escaped:
			escaped = false
		case text:
			escaped, text = c == '\\', c != '"'
		case c == '"':
			text = true
		case c == '[', c == '{':
			if depth++; depth == maxDepth {
				return true
			}
			members[depth] = 0
		case c == ']', c == '}':
			depth = max(depth-1, 0)
		case c == ',':
			if members[depth]++; members[depth] > maxMembers {
				return true
			}
		}
	}
	return false
}
