package main

import "fmt"

// setting reads one value that is set for this machine from outside, by a group policy; ok is false where there is none.
type setting func(name string) (value string, ok bool, err error)

// managed is the configuration with what a group policy says put over it. Where that cannot be used, the file counts
// and the complaint says why.
func (c config) managed(where string, read setting) config {
	over := c
	for name, field := range map[string]*string{"Server": &over.Server, "Fingerprint": &over.Fingerprint, "Token": &over.Token, "TokenFile": &over.TokenFile} {
		value, ok, err := read(name)
		if err != nil {
			c.complaint = fmt.Sprintf("cannot use %s in %s: %v", name, where, err)
			return c
		}
		if ok {
			*field = value
		}
	}
	over.onlyOneToken(c)
	if err := over.check(where); err != nil {
		c.complaint = err.Error()
		return c
	}
	return over
}

// onlyOneToken: a policy's code is used in place of the file's, whichever way each is given.
func (c *config) onlyOneToken(file config) {
	switch {
	case c.Token != file.Token && c.TokenFile == file.TokenFile:
		c.TokenFile = ""
	case c.TokenFile != file.TokenFile && c.Token == file.Token:
		c.Token = ""
	}
}
