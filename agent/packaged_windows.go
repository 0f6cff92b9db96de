package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows/registry"
)

// packageKey is where the MSI writes AgentFolder, the folder of the program; it goes with the MSI.
const packageKey = `SOFTWARE\Sekisho`

// packageFolder is "" where no MSI has installed the agent.
func packageFolder() string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, packageKey, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer k.Close()
	folder, _, err := k.GetStringValue("AgentFolder")
	if err != nil {
		return ""
	}
	return folder
}

func packaged() bool { return packageFolder() != "" }

// mayReplace refuses to stand beside a program that an MSI owns.
func mayReplace() error {
	if !packaged() || runsFromFolder(packageFolder()) {
		return nil
	}
	return errors.New("cannot install: the agent on this machine is an MSI's; install a newer MSI, or remove it first (Settings, Apps)")
}

// mayRemove: a service that goes without its MSI would come back with the next repair.
func mayRemove(byPackage bool) error {
	if byPackage || !packaged() {
		return nil
	}
	return errors.New("cannot uninstall: the agent on this machine is an MSI's; remove it there (Settings, Apps, or msiexec /x)")
}

func runsFromFolder(folder string) bool {
	self, err := os.Executable()
	return err == nil && strings.EqualFold(filepath.Clean(filepath.Dir(self)), filepath.Clean(folder))
}

// unshadow: nothing that install writes stands in front of an MSI's files.
func unshadow(string) error { return nil }

// preparePackage is what an MSI cannot do for itself: folders that only administrators can open, our name in the event
// log, and what keeps the service alive.
func preparePackage(s streams) error {
	if err := installFiles(); err != nil {
		return err
	}
	for _, w := range tuneService() {
		fmt.Fprintln(s.err, w)
	}
	return nil
}

// startPackaged lets the MSI's service begin anew.
func startPackaged(ctx context.Context) error { return startService(ctx) }
