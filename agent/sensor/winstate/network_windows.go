package winstate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"sekisho/internal/policy"
)

// Flags of GetAdaptersAddresses: nothing is wanted of multicast, anycast and name servers.
const (
	leaveOut    = windows.GAA_FLAG_SKIP_ANYCAST | windows.GAA_FLAG_SKIP_MULTICAST | windows.GAA_FLAG_SKIP_DNS_SERVER
	maxAdapters = 1 << 20 // bytes
	maxRows     = 10000
)

// Network reads the system's own tables.
func (l *local) Network() (Network, error) {
	var n Network
	if err := l.cards(&n); err != nil {
		return n, fmt.Errorf("cannot list adapters: %w", err)
	}
	if err := l.routes(&n); err != nil {
		return n, fmt.Errorf("cannot list routes: %w", err)
	}
	if err := l.neighbours(&n); err != nil {
		n.Fault = fmt.Errorf("cannot list neighbours: %w", err)
	}
	return n, nil
}

func (l *local) cards(n *Network) error {
	size := uint32(64 << 10)
	for size <= maxAdapters {
		buf := make([]byte, size)
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&buf[0]))
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, leaveOut, 0, first, &size)
		if errors.Is(err, windows.ERROR_BUFFER_OVERFLOW) {
			continue
		}
		if errors.Is(err, windows.ERROR_NO_DATA) {
			return nil
		}
		if err != nil {
			return err
		}
		for a := first; a != nil; a = a.Next {
			n.Cards = append(n.Cards, l.card(a))
		}
		return nil
	}
	return windows.ERROR_BUFFER_OVERFLOW
}

func (l *local) card(a *windows.IpAdapterAddresses) Card {
	c := Card{Index: a.IfIndex, Index6: a.Ipv6IfIndex, GUID: windows.BytePtrToString(a.AdapterName), Name: windows.UTF16PtrToString(a.FriendlyName),
		About: windows.UTF16PtrToString(a.Description), Type: a.IfType, Up: a.OperStatus == windows.IfOperStatusUp}
	for u := a.FirstUnicastAddress; u != nil && len(c.Addresses) < maxRows; u = u.Next {
		if ip, ok := netip.AddrFromSlice(u.Address.IP()); ok {
			c.Addresses = append(c.Addresses, ip.Unmap())
		}
	}
	c.MAC = net.HardwareAddr(a.PhysicalAddress[:min(a.PhysicalAddressLength, 8)]).String()
	if c.Up && c.Type == typeWireless {
		ssid, err := l.ssid(c.GUID)
		if c.SSID = policy.OneLine(ssid); err != nil {
			c.SSIDFault = err.Error()
		}
	}
	return c
}

// Out asks Windows' routing table (https://learn.microsoft.com/windows/win32/api/iphlpapi/nf-iphlpapi-getbestinterfaceex).
func (l *local) Out(to netip.Addr) (uint32, error) {
	if err := l.ip.NewProc("GetBestInterfaceEx").Find(); err != nil {
		return 0, errNoSource
	}
	var index uint32
	err := windows.GetBestInterfaceEx(sockaddr(to), &index)
	if errors.Is(err, windows.ERROR_NETWORK_UNREACHABLE) || errors.Is(err, windows.ERROR_HOST_UNREACHABLE) || nothing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot ask for the way to the console: %w", err)
	}
	return index, nil
}

func sockaddr(a netip.Addr) windows.Sockaddr {
	if a.Is4() {
		return &windows.SockaddrInet4{Addr: a.As4()}
	}
	return &windows.SockaddrInet6{Addr: a.As16()}
}

// wlanConnection is the part of WLAN_CONNECTION_ATTRIBUTES up to the name (wlanapi.h).
type wlanConnection struct {
	state, mode uint32
	profile     [256]uint16
	length      uint32
	ssid        [32]byte
}

const currentConnection = 7 // wlan_intf_opcode_current_connection

func (l *local) ssid(guid string) (string, error) {
	id, err := windows.GUIDFromString(guid)
	if err != nil {
		return "", err
	}
	var handle windows.Handle
	var version uint32
	if code, err := call(l.wlan, "WlanOpenHandle", 2, 0, uintptr(unsafe.Pointer(&version)), uintptr(unsafe.Pointer(&handle))); code != 0 || err != nil && handle == 0 {
		return "", orCode(err, code)
	}
	defer func() { _, _ = call(l.wlan, "WlanCloseHandle", uintptr(handle), 0) }()
	var size uint32
	var c *wlanConnection
	code, err := call(l.wlan, "WlanQueryInterface", uintptr(handle), uintptr(unsafe.Pointer(&id)), currentConnection, 0, uintptr(unsafe.Pointer(&size)), uintptr(unsafe.Pointer(&c)), 0)
	if code != 0 || c == nil {
		return "", orCode(err, code)
	}
	defer func() { _, _ = call(l.wlan, "WlanFreeMemory", uintptr(unsafe.Pointer(c))) }()
	if size < uint32(unsafe.Sizeof(*c)) || c.length > uint32(len(c.ssid)) {
		return "", errors.New("cannot read what Windows says of the wireless network")
	}
	return string(c.ssid[:c.length]), nil
}

var families = []uint16{windows.AF_INET, windows.AF_INET6}

func (l *local) routes(n *Network) error {
	if err := l.ip.NewProc("GetIpForwardTable2").Find(); err != nil {
		return errNoSource
	}
	for _, family := range families {
		var table *windows.MibIpForwardTable2
		err := windows.GetIpForwardTable2(family, &table)
		if nothing(err) {
			continue
		}
		if err != nil {
			return err
		}
		for i, row := range table.Rows() {
			if i < maxRows && row.DestinationPrefix.PrefixLength == 0 {
				n.Routes = append(n.Routes, Route{row.InterfaceIndex, address(unsafe.Pointer(&row.NextHop))})
			}
		}
		windows.FreeMibTable(unsafe.Pointer(table))
	}
	return nil
}

// nothing: the machine has no such addresses, or the table is empty.
func nothing(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_FOUND) || errors.Is(err, windows.ERROR_NO_DATA) || errors.Is(err, windows.ERROR_NOT_SUPPORTED)
}

// address reads SOCKADDR_INET: the family, then IPv4 behind the port, or IPv6 behind the flow.
func address(p unsafe.Pointer) netip.Addr {
	b := (*[28]byte)(p)
	switch uint16(b[0]) | uint16(b[1])<<8 {
	case windows.AF_INET:
		return netip.AddrFrom4([4]byte(b[4:8]))
	case windows.AF_INET6:
		return netip.AddrFrom16([16]byte(b[8:24]))
	}
	return netip.Addr{}
}

// neighbourRow is MIB_IPNET_ROW2 (netioapi.h), neighbourTable what stands before them.
type neighbourRow struct {
	address      [28]byte
	index        uint32
	luid         uint64
	mac          [32]byte
	length       uint32
	state        uint32
	flags        uint32
	reachability uint32
}

type neighbourTable struct {
	count uint32
	_     uint32
	rows  [1]neighbourRow
}

const maxUnreachable = 1 // NlnsUnreachable, NlnsIncomplete

func (l *local) neighbours(n *Network) error {
	for _, family := range families {
		var table *neighbourTable
		code, err := call(l.ip, "GetIpNetTable2", uintptr(family), uintptr(unsafe.Pointer(&table)))
		if code != 0 && nothing(windows.Errno(code)) {
			continue
		}
		if code != 0 || table == nil {
			return orCode(err, code)
		}
		for _, row := range unsafe.Slice(&table.rows[0], min(table.count, maxRows)) {
			if row.state > maxUnreachable && row.length > 0 && row.length <= 8 {
				n.Neighbours = append(n.Neighbours, Neighbour{row.index, address(unsafe.Pointer(&row.address)), net.HardwareAddr(row.mac[:row.length]).String()})
			}
		}
		windows.FreeMibTable(unsafe.Pointer(table))
	}
	return nil
}

const lookAnyway = 20 * time.Second // where Windows does not tell of changes

// Changes pulses when the network may have changed: Windows calls, and where it cannot, time does.
func (e *Eyes) Changes(ctx context.Context) (<-chan struct{}, error) {
	out := make(chan struct{}, 1)
	pulse := func() {
		select {
		case out <- struct{}{}:
		default:
		}
	}
	handles, err := notified(pulse)
	go func() {
		defer func() {
			for _, h := range handles {
				_ = windows.CancelMibChangeNotify2(h)
			}
		}()
		if err == nil {
			<-ctx.Done()
			return
		}
		tick := time.NewTicker(lookAnyway)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				pulse()
			}
		}
	}()
	return out, nil
}

// notified registers for changes of interfaces and routes. The callback runs on a thread of Windows' own: it only pulses.
func notified(pulse func()) ([]windows.Handle, error) {
	ip := windows.NewLazySystemDLL("iphlpapi.dll")
	for _, name := range []string{"NotifyIpInterfaceChange", "NotifyRouteChange2", "CancelMibChangeNotify2"} {
		if err := ip.NewProc(name).Find(); err != nil {
			return nil, errNoSource
		}
	}
	callback := windows.NewCallback(func(uintptr, uintptr, uintptr) uintptr { pulse(); return 0 })
	var links, routes windows.Handle
	if err := windows.NotifyIpInterfaceChange(windows.AF_UNSPEC, callback, nil, false, &links); err != nil {
		return nil, err
	}
	if err := windows.NotifyRouteChange2(windows.AF_UNSPEC, callback, nil, false, &routes); err != nil {
		return []windows.Handle{links}, err
	}
	return []windows.Handle{links, routes}, nil
}
