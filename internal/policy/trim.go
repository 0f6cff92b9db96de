package policy

// Trim takes the part out of a value that the place's expression is for; without an expression it is the whole value.
func (p Place) Trim(raw Raw) Raw {
	if p.Match == "" || raw.Code != "" {
		return raw
	}
	text := raw.words()
	if len(text) > MaxValue {
		return Raw{Code: CodeTooLong, Fault: "cannot use value: it is too long"}
	}
	re, err := expression(p.Match)
	if err != nil {
		return Raw{Code: CodeFailed, Fault: err.Error()}
	}
	found := re.FindStringSubmatch(text)
	if len(found) < 2 || found[1] == "" {
		return Raw{Code: CodeWrongType, Fault: "cannot find the value in " + shorten(text)}
	}
	return Raw{Text: found[1]}
}
