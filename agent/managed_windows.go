package main

import (
	"errors"

	"golang.org/x/sys/windows/registry"
)

// managedKey is where a group policy (or a script of the roll-out) may put what the console cannot know. Everybody on the
// machine can read it, so an enrolment code belongs into TokenFile, on a share that only computers can read.
const managedKey = `SOFTWARE\Policies\Sekisho`

func managedConfig(c config) config {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, managedKey, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, registry.ErrNotExist) {
		return c
	}
	if err == nil {
		defer k.Close()
	}
	return c.managed(`HKLM\`+managedKey, func(name string) (string, bool, error) {
		if err != nil {
			return "", false, err
		}
		value, _, err := k.GetStringValue(name)
		if errors.Is(err, registry.ErrNotExist) {
			return "", false, nil
		}
		return value, err == nil, err
	})
}
