//go:build unix

package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// foreign refuses to work as root in a folder that is another user's: what root makes there the console could not write.
func foreign(folder string, me int) error {
	info, err := os.Stat(folder)
	if err != nil || me != 0 { // one that is not there is made; what else is wrong with it is said by who uses it
		return nil
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil
	}
	name := "#" + strconv.Itoa(int(stat.Uid)) // sudo(8), -u
	if u, err := user.LookupId(strconv.Itoa(int(stat.Uid))); err == nil {
		name = u.Username
	}
	return hint(fmt.Errorf("cannot work as root in %s: it belongs to %s, and files made by root would stop the console", folder, name),
		"run it as that user: sudo -u "+name+" sekisho-console …")
}
