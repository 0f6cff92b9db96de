//go:build wine

package enforce

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/windows"

	"sekisho/internal/policy"
)

// Wine's own way to plug and unplug a drive while everything runs (include/wine/mountmgr.h). It exists nowhere else: tag wine.
const (
	defineUnixDrive = 0x006dc080 // IOCTL_MOUNTMGR_DEFINE_UNIX_DRIVE
	driveNoRoot     = 1          // unplugs
	driveRemovable  = 2
	unixDriveSize   = 32
)

// unixDrive makes the request: sizes and kinds, a letter, and the offset of a Unix path behind them.
func unixDrive(letter byte, kind uint32, folder string) []byte {
	b := make([]byte, unixDriveSize)
	binary.LittleEndian.PutUint32(b[4:], kind)
	binary.LittleEndian.PutUint16(b[24:], uint16(letter))
	if folder != "" {
		binary.LittleEndian.PutUint16(b[26:], uint16(len(b)))
		b = append(append(b, folder...), 0)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}

func moveDrive(t *testing.T, letter byte, kind uint32, folder string) {
	t.Helper()
	h, err := open(`\\.\MountPointManager`, windows.GENERIC_READ|windows.GENERIC_WRITE)
	must(t, err)
	defer windows.CloseHandle(h)
	b := unixDrive(letter, kind, folder)
	var n uint32
	must(t, windows.DeviceIoControl(h, defineUnixDrive, &b[0], uint32(len(b)), nil, 0, &n, nil))
}

func driveType() uint32 {
	p, _ := windows.UTF16PtrFromString(`X:\`)
	return windows.GetDriveType(p)
}

// theStick is a device tree after the vendor's pages, because CM_Disable_DevNode is a stub in Wine, with a real drive: to
// disable the device takes the drive away.
type theStick struct {
	*fakeNodes
	t     *testing.T
	once  sync.Once
	stays bool // the device says that it is disabled, the volume is still there
}

func (s *theStick) Media([]devnode) []string        { return []string{secret, volume} }
func (s *theStick) Opens(path string) (bool, error) { return configManager{}.Opens(path) }
func (s *theStick) Disable(id string, force bool) error {
	if !s.stays {
		s.once.Do(func() { moveDrive(s.t, 'X', driveNoRoot, "") })
	}
	return s.fakeNodes.Disable(id, force)
}

// plugIn plugs drive X in, with a file on it.
func plugIn(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "SECRET.TXT"), []byte("secret"), 0o600))
	here := os.Getenv("WINEPREFIX") + "/drive_c" + filepath.ToSlash(strings.TrimPrefix(folder, `C:`))
	moveDrive(t, 'X', driveRemovable, here)
	t.Cleanup(func() {
		if driveType() != windows.DRIVE_NO_ROOT_DIR {
			moveDrive(t, 'X', driveNoRoot, "")
		}
	})
	if kind := driveType(); kind != windows.DRIVE_REMOVABLE {
		t.Fatalf("drive X is %d after it was plugged in", kind)
	}
}

const (
	secret = `X:\SECRET.TXT`
	volume = `\\.\X:`
)

func TestADriveIsSeenWhenItComesAndWhenItGoes(t *testing.T) {
	if kind := driveType(); kind != windows.DRIVE_NO_ROOT_DIR {
		t.Fatalf("drive X is there already: %d", kind)
	}
	plugIn(t)
	for _, path := range []string{secret, volume} {
		if opens, err := (configManager{}).Opens(path); err != nil || !opens {
			t.Errorf("plugged in, %s: %v, %v", path, opens, err)
		}
	}
	moveDrive(t, 'X', driveNoRoot, "")
	for _, path := range []string{secret, volume} {
		if opens, err := (configManager{}).Opens(path); err != nil || opens {
			t.Errorf("unplugged, %s: %v, %v", path, opens, err)
		}
	}
}

func block(t *testing.T, s *theStick) (policy.Outcome, string) {
	h, a := windowsHand{s, ladder{reg: newHive(), dir: filepath.Join(t.TempDir(), "gate"), layered: true}}, anAct()
	return h.block(a, stickDevice()), told(a)
}

func TestABlockIsVerifiedByAVolumeThatReallyCannotBeOpened(t *testing.T) {
	plugIn(t)
	s := &theStick{fakeNodes: aStick(), t: t}
	if got, said := block(t, s); got != policy.OutcomeBlocked || !strings.Contains(said, "verified") {
		t.Errorf("%s: %s", got, said)
	}
}

func TestAVolumeThatStaysIsNoBlockWhateverTheDeviceSays(t *testing.T) {
	plugIn(t)
	s := &theStick{fakeNodes: aStick(), t: t, stays: true}
	if got, said := block(t, s); got != policy.OutcomeBlockFailed || !strings.Contains(said, "opened") {
		t.Errorf("%s: %s", got, said)
	}
}

func TestADriveThatIsPulledWhileItsDeviceIsDisabledIsGone(t *testing.T) {
	plugIn(t)
	s := &theStick{fakeNodes: aStick(), t: t}
	s.fakeNodes.gone = func(string) {
		s.fakeNodes.mu.Lock()
		defer s.fakeNodes.mu.Unlock()
		clear(s.fakeNodes.nodes)
	}
	if got, said := block(t, s); got != policy.OutcomeRemoved {
		t.Errorf("%s: %s", got, said)
	}
}
