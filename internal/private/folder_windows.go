package private

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// Folder makes a folder with this descriptor, or sets it on one that is there and on all that is in it. The descriptor
// names owner and list (https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format).
func Folder(dir, sddl string) error {
	if err := prepare(dir, sddl); err != nil {
		return fmt.Errorf("cannot protect %s: %w", dir, err)
	}
	return nil
}

func prepare(dir, sddl string) error {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err == nil {
		err = plain(info)
	}
	if err != nil {
		return err
	}
	return set(dir, sd)
}

// set replaces owner and list, and lets nothing come from the folder above.
func set(dir string, sd *windows.SECURITY_DESCRIPTOR) error {
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	list, _, err := sd.DACL()
	if err != nil {
		return err
	}
	what := windows.SECURITY_INFORMATION(windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION)
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, what, owner, nil, list, nil)
}
