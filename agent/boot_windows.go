package main

import (
	"strconv"

	"golang.org/x/sys/windows/registry"
)

// otherBootID is the number that Windows counts up at every start. Where it is not kept there is no name, and the
// first look of each agent counts as the first of the boot.
func otherBootID() string {
	const key = `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer k.Close()
	n, _, err := k.GetIntegerValue("BootId")
	if err != nil {
		return ""
	}
	return "boot-" + strconv.FormatUint(n, 10)
}
