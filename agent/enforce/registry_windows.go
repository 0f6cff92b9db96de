package enforce

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// localMachine is the 64-bit view of HKEY_LOCAL_MACHINE, also for a 32-bit agent: policies live there.
type localMachine struct{}

const view = registry.WOW64_64KEY

// maxValue bounds one value that is read back.
const maxValue = 1 << 16

func (localMachine) Value(key, name string) (regValue, bool, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|view)
	if errors.Is(err, registry.ErrNotExist) {
		return regValue{}, false, nil
	}
	if err != nil {
		return regValue{}, false, err
	}
	defer k.Close()
	buf := make([]byte, maxValue)
	n, kind, err := k.GetValue(name, buf)
	if errors.Is(err, registry.ErrNotExist) {
		return regValue{}, false, nil
	}
	if err != nil {
		return regValue{}, false, err
	}
	return regValue{Type: kind, Data: buf[:n:n]}, true, nil
}

func (localMachine) Names(key string) ([]string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|view)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer k.Close()
	return k.ReadValueNames(0)
}

func (localMachine) Below(key string) ([]string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.ENUMERATE_SUB_KEYS|view)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer k.Close()
	return k.ReadSubKeyNames(0)
}

// Set writes type and bytes as they are: the package's own setters know only well-formed values, and a value
// that is put back must be what it was.
func (localMachine) Set(key, name string, v regValue) error {
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, key, registry.SET_VALUE|view)
	if err != nil {
		return err
	}
	defer k.Close()
	return setRaw(windows.Handle(k), name, v)
}

func (localMachine) Drop(key, name string) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.SET_VALUE|view)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer k.Close()
	if err := k.DeleteValue(name); err != nil && !errors.Is(err, registry.ErrNotExist) {
		return err
	}
	return nil
}

func (localMachine) Has(key string) (bool, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|view)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, k.Close()
}

func (localMachine) Make(key string) error {
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, key, registry.SET_VALUE|view)
	if err != nil {
		return err
	}
	return k.Close()
}

// Remove looks first: a key with values, unlike one with keys below, would be deleted with them.
func (localMachine) Remove(key string) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS|view)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := k.Stat()
	k.Close()
	if err != nil || info.SubKeyCount > 0 || info.ValueCount > 0 {
		return err
	}
	if err := deleteKey(key); err != nil && !errors.Is(err, registry.ErrNotExist) {
		return fmt.Errorf("cannot remove HKLM\\%s: %w", key, err)
	}
	return nil
}

// thisBuild reads the version as Windows shows it to people: 19045.3803.
func thisBuild() build {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, registry.QUERY_VALUE|view)
	if err != nil {
		return build{}
	}
	defer k.Close()
	update, _, err := k.GetIntegerValue("UBR")
	if err != nil {
		update = 0
	}
	return build{windows.RtlGetVersion().BuildNumber, uint32(update)}
}
