package enforce

import (
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/sys/windows/registry"

	"sekisho/internal/policy"
)

// sandbox is the real registry below a key of its own, so that a test changes no policy of the machine it runs on.
type sandbox struct{ localMachine }

const sandboxKey = `SOFTWARE\SekishoTest`

func in(key string) string { return sandboxKey + `\` + key }

func (s sandbox) Value(key, name string) (regValue, bool, error) {
	return s.localMachine.Value(in(key), name)
}
func (s sandbox) Below(key string) ([]string, error)     { return s.localMachine.Below(in(key)) }
func (s sandbox) Names(key string) ([]string, error)     { return s.localMachine.Names(in(key)) }
func (s sandbox) Set(key, name string, v regValue) error { return s.localMachine.Set(in(key), name, v) }
func (s sandbox) Drop(key, name string) error            { return s.localMachine.Drop(in(key), name) }
func (s sandbox) Has(key string) (bool, error)           { return s.localMachine.Has(in(key)) }
func (s sandbox) Make(key string) error                  { return s.localMachine.Make(in(key)) }
func (s sandbox) Remove(key string) error                { return s.localMachine.Remove(in(key)) }

// dump reads everything below a key: types, bytes, empty keys.
func dump(t *testing.T, key string, into map[string]regValue) {
	t.Helper()
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.READ|view)
	if err != nil {
		return
	}
	defer k.Close()
	into[key] = regValue{}
	names, err := localMachine{}.Names(key)
	must(t, err)
	for _, name := range names {
		v, _, err := localMachine{}.Value(key, name)
		must(t, err)
		into[key+"="+name] = v
	}
	subs, err := k.ReadSubKeyNames(0)
	must(t, err)
	for _, sub := range subs {
		dump(t, key+`\`+sub, into)
	}
}

func wipe(key string) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.READ|view)
	if err != nil {
		return
	}
	subs, _ := k.ReadSubKeyNames(0)
	k.Close()
	for _, sub := range subs {
		wipe(key + `\` + sub)
	}
	_ = deleteKey(key)
}

func TestTheRealRegistryIsAsBeforeAfterShutAndOpen(t *testing.T) {
	wipe(sandboxKey)
	t.Cleanup(func() { wipe(sandboxKey) })
	s := sandbox{}
	must(t, s.Make(`SOFTWARE\Policies`))
	must(t, s.Set(explorerKey, "NoDriveTypeAutoRun", regValue{Type: registry.BINARY, Data: []byte{0x91, 0, 7}}))  // a wrong type
	must(t, s.Set(restrictionsKey+`\DenyDeviceIDs`, "1", regValue{Type: registry.EXPAND_SZ, Data: []byte{0x41}})) // half a character
	before := map[string]regValue{}
	dump(t, sandboxKey, before)
	l := ladder{reg: s, dir: filepath.Join(t.TempDir(), "共有 ゲート"), layered: true}
	state(t, l, "open")
	must(t, l.shut())
	state(t, l, "shut")
	if _, err := l.allow(`USB\VID_0781&PID_5583\A`, []string{`USB\VID_0781&PID_5583\A`}); err != nil {
		t.Fatal(err)
	}
	state(t, l, "shut")
	must(t, l.forbid(`USB\VID_0781&PID_5583\A`))
	must(t, l.open())
	state(t, l, "open")
	after := map[string]regValue{}
	dump(t, sandboxKey, after)
	if len(before) != len(after) {
		t.Errorf("%d keys and values before, %d after: %v", len(before), len(after), after)
	}
	for name, v := range before {
		if !v.equal(after[name]) {
			t.Errorf("%s was %+v, is %+v", name, v, after[name])
		}
	}
}

func TestAKeyWithSomethingInItIsNotRemoved(t *testing.T) {
	wipe(sandboxKey)
	t.Cleanup(func() { wipe(sandboxKey) })
	s := sandbox{}
	must(t, s.Set(`a\b`, "x", dword(1)))
	must(t, s.Remove(`a`))
	must(t, s.Remove(`a\b`))
	if v, ok, err := s.Value(`a\b`, "x"); err != nil || !ok || !v.equal(dword(1)) {
		t.Errorf("%+v %v %v", v, ok, err)
	}
}

func TestTheRealRegistryIsAsBeforeAfterRulesCameAndWent(t *testing.T) {
	wipe(sandboxKey)
	t.Cleanup(func() { wipe(sandboxKey) })
	r := sandbox{}
	must(t, r.Make(`SOFTWARE\Policies\Microsoft\Windows`))
	must(t, r.Set(installerKey, "Other", regValue{Type: registry.BINARY, Data: []byte{1, 0}}))
	before := map[string]regValue{}
	dump(t, sandboxKey, before)
	s := standing{reg: r, dir: filepath.Join(t.TempDir(), "共有 ゲート")}
	stands(t, s, software(policy.ModeAudit, policy.ActionBlock, "winny.exe"), "records")
	stands(t, s, software(policy.ModeEnforce, policy.ActionBlock, "winny.exe", "悪い.exe"), "stops")
	stands(t, s, software(policy.ModeEnforce, policy.ActionReport), "off")
	after := map[string]regValue{}
	dump(t, sandboxKey, after)
	if !reflect.DeepEqual(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
}
