package health

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"sekisho/internal/policy"
)

// Generic netlink and nl80211 (include/uapi/linux/genetlink.h, nl80211.h).
const (
	genControl       = 16
	genGetFamily     = 3
	genFamilyID      = 1
	genFamilyName    = 2
	genHeader        = 4
	wifiGetInterface = 5
	wifiIndex        = 3
	wifiName         = 52 // NL80211_ATTR_SSID

	flagRequest = 1
	flagDump    = 0x300
)

// genQuestion is a message to a family: what is asked, and one attribute, or none.
func genQuestion(family, flags uint16, command byte, attribute uint16, value []byte) []byte {
	b := make([]byte, headerSize+genHeader)
	b[headerSize], b[headerSize+1] = command, 1
	if value != nil {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
		b = binary.NativeEndian.AppendUint16(b, attribute)
		b = append(b, value...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], family)
	binary.NativeEndian.PutUint16(b[6:], flagRequest|flags)
	return b
}

// familyID reads the number of a family out of the control family's answer.
func familyID(b []byte) (id uint16, err error) {
	err = messages(b, func(kind uint16, body []byte) error {
		if kind != genControl || len(body) < genHeader {
			return nil
		}
		if v := attributes(body[genHeader:])[genFamilyID]; len(v) >= 2 {
			id = binary.NativeEndian.Uint16(v)
		}
		return nil
	})
	return id, err
}

// networkNames gives the names of the wireless networks that interfaces are in, by their index.
func networkNames(family uint16, b []byte, into map[int]string) error {
	return messages(b, func(kind uint16, body []byte) error {
		if kind != family || len(body) < genHeader {
			return nil
		}
		a := attributes(body[genHeader:])
		if name := a[wifiName]; len(name) > 0 && len(a[wifiIndex]) >= 4 {
			into[number(a[wifiIndex])] = ssid(name)
		}
		return nil
	})
}

// ssid spells a name, which may be any 32 bytes (IEEE 802.11, 9.4.2.2): what is no text is shown in hex.
func ssid(b []byte) string {
	if s := policy.OneLine(string(b)); utf8.Valid(b) && s == string(b) {
		return s
	}
	return fmt.Sprintf("0x%x", b)
}
