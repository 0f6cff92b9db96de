package health

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// Messages and attributes of rtnetlink (rtnetlink(7), include/uapi/linux/rtnetlink.h, if_link.h, neighbour.h).
const (
	msgError     = 2
	msgDone      = 3
	msgLink      = 16
	msgAddress   = 20
	msgRoute     = 24
	msgNeighbour = 28

	headerSize    = 16
	linkSize      = 16
	routeSize     = 12
	neighbourSize = 12
	addressSize   = 8

	linkAddress = 1
	linkName    = 3
	linkBelow   = 5
	linkMaster  = 10
	linkInfo    = 18
	infoKind    = 1

	routeOut       = 4
	routeGateway   = 5
	routeMultipath = 9
	routeTable     = 15
	routeVia       = 18

	addressAny   = 1 // of a tunnel it is the other end's
	addressLocal = 2

	routeTo     = 1
	fullPrefix4 = 32
	fullPrefix6 = 128

	nearAddress = 1
	nearCard    = 2

	flagUp      = 0x1
	flagCarrier = 0x10000

	tableMain   = 254
	typeUnicast = 1

	family4 = 2
	family6 = 10
)

var errCut = errors.New("cannot read the kernel's answer: it is cut short")

// messages parts an answer and hands each message on.
func messages(b []byte, each func(kind uint16, body []byte) error) error {
	for len(b) >= headerSize {
		n := int(binary.NativeEndian.Uint32(b))
		if n < headerSize || n > len(b) {
			return errCut
		}
		kind := binary.NativeEndian.Uint16(b[4:])
		if kind == msgDone {
			return nil
		}
		if kind == msgError {
			return errors.New("cannot ask the kernel: it answered with an error")
		}
		if err := each(kind, b[headerSize:n]); err != nil {
			return err
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}

// attributes parts what follows a message's head; the two highest bits of a type are flags.
func attributes(b []byte) map[uint16][]byte {
	out := map[uint16][]byte{}
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		out[binary.NativeEndian.Uint16(b[2:])&0x3fff] = b[4:n]
		b = b[min((n+3)&^3, len(b)):]
	}
	return out
}

func number(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	return int(int32(binary.NativeEndian.Uint32(b)))
}

// take reads one message of a dump into the state.
func (n *netState) take(kind uint16, b []byte) error {
	switch {
	case kind == msgLink && len(b) >= linkSize:
		n.links = append(n.links, parseLink(b))
	case kind == msgRoute && len(b) >= routeSize:
		n.routes = append(n.routes, parseRoute(b)...)
	case kind == msgNeighbour && len(b) >= neighbourSize:
		if near, ok := parseNeighbour(b); ok {
			n.neighbours = append(n.neighbours, near)
		}
	case kind == msgAddress && len(b) >= addressSize:
		a := attributes(b[addressSize:])
		ip, ok := netip.AddrFromSlice(a[addressLocal])
		if !ok {
			ip, ok = netip.AddrFromSlice(a[addressAny])
		}
		if ok {
			n.addresses = append(n.addresses, neighbour{index: number(b[4:]), ip: ip.Unmap()})
		}
	case kind == msgLink, kind == msgRoute, kind == msgNeighbour, kind == msgAddress:
		return errCut
	}
	return nil
}

func parseLink(b []byte) link {
	a := attributes(b[linkSize:])
	flags := binary.NativeEndian.Uint32(b[8:])
	return link{
		index: number(b[4:]), master: number(a[linkMaster]), below: number(a[linkBelow]), hardware: binary.NativeEndian.Uint16(b[2:]),
		name: text0(a[linkName]), kind: text0(attributes(a[linkInfo])[infoKind]), mac: card(a[linkAddress]),
		carrier: flags&flagUp != 0 && flags&flagCarrier != 0,
	}
}

// wayTo asks by which interface an address would be reached. The kernel answers from its tables; nothing is sent.
func wayTo(ip netip.Addr) []byte {
	family, prefix := byte(family4), byte(fullPrefix4)
	if ip.Is6() {
		family, prefix = family6, fullPrefix6
	}
	raw := ip.AsSlice()
	b := make([]byte, headerSize+routeSize, headerSize+routeSize+4+len(raw))
	binary.NativeEndian.PutUint16(b[4:], msgRoute+2) // RTM_GETROUTE
	binary.NativeEndian.PutUint16(b[6:], 1)          // NLM_F_REQUEST
	b[headerSize], b[headerSize+1] = family, prefix
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(raw)))
	b = binary.NativeEndian.AppendUint16(b, routeTo)
	b = append(b, raw...)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

// leavesBy reads the answer; 0 is none.
func leavesBy(b []byte) (int, error) {
	out := 0
	err := messages(b, func(kind uint16, body []byte) error {
		if kind == msgRoute && len(body) >= routeSize {
			out = number(attributes(body[routeSize:])[routeOut])
		}
		return nil
	})
	return out, err
}

func text0(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

func card(b []byte) string {
	if len(b) != 6 {
		return ""
	}
	return net.HardwareAddr(b).String()
}

// parseRoute gives the ways of a default route of the main table.
func parseRoute(b []byte) []route {
	a := attributes(b[routeSize:])
	table := int(b[4])
	if t, ok := a[routeTable]; ok {
		table = number(t)
	}
	if b[1] != 0 || table != tableMain || b[7] != typeUnicast || b[0] != family4 && b[0] != family6 {
		return nil
	}
	if many, ok := a[routeMultipath]; ok {
		return parseHops(many)
	}
	if _, ok := a[routeOut]; !ok {
		return nil
	}
	return []route{{index: number(a[routeOut]), gateway: gatewayOf(a)}}
}

// parseHops reads struct rtnexthop: length, flags, weight, interface, then attributes.
func parseHops(b []byte) []route {
	var out []route
	for len(b) >= 8 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 8 || n > len(b) {
			break
		}
		out = append(out, route{index: number(b[4:]), gateway: gatewayOf(attributes(b[8:n]))})
		b = b[min((n+3)&^3, len(b)):]
	}
	return out
}

func gatewayOf(a map[uint16][]byte) netip.Addr {
	if via := a[routeVia]; len(via) > 2 { // struct rtvia: a family, then the address
		addr, _ := netip.AddrFromSlice(via[2:])
		return addr
	}
	addr, _ := netip.AddrFromSlice(a[routeGateway])
	return addr
}

func parseNeighbour(b []byte) (neighbour, bool) {
	a := attributes(b[neighbourSize:])
	ip, ok := netip.AddrFromSlice(a[nearAddress])
	mac := card(a[nearCard])
	return neighbour{index: number(b[4:]), ip: ip, mac: mac}, ok && mac != ""
}
