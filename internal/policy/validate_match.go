package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	idForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	hex4Form   = regexp.MustCompile(`^[0-9a-f]{4}$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	classForm  = regexp.MustCompile(`^[0-9a-f]{2}(/[0-9a-f]{2}){0,2}$`)
	buses      = []string{BusUSB, BusMMC, BusSCSI, BusNVMe, BusThunderbolt}
)

func (c *check) match(path string, m *Match) {
	eachOf(c, path+".bus", m.Bus, func(b string) bool { return slices.Contains(buses, b) },
		"接続方式は usb、mmc、scsi、nvme、thunderbolt のどれかにしてください", "the bus must be usb, mmc, scsi, nvme or thunderbolt")
	eachOf(c, path+".kind", m.Kind, func(k Kind) bool { return slices.Contains(all, k) },
		"知らない種類です", "this kind is not known")
	eachOf(c, path+".class", m.Class, isClass,
		"クラスは 08、08/06、08/06/50 のように16進の小文字で書いてください", "write the class in lower-case hex, like 08, 08/06 or 08/06/50")
	eachOf(c, path+".group", m.Group, func(g string) bool { return g != "" && len(g) <= maxID && isClean(g) },
		"端末区分を選んでください", "choose a terminal category")
	c.need(m.Vendor == "" || hex4Form.MatchString(m.Vendor), path+".vendor", "製造者IDは16進4桁の小文字で書いてください", "write the vendor as 4 lower-case hex digits")
	c.need(m.Product == "" || hex4Form.MatchString(m.Product), path+".product", "製品IDは16進4桁の小文字で書いてください", "write the product as 4 lower-case hex digits")
	c.raw(path+".serial", m.Serial)
	c.raw(path+".port", m.Port)
	c.capacity(path, m)
}

func (c *check) capacity(path string, m *Match) {
	c.need(m.MinCapacity >= 0, path+".min_capacity", "容量は0以上にしてください", "the capacity must not be negative")
	c.need(m.MaxCapacity >= 0, path+".max_capacity", "容量は0以上にしてください", "the capacity must not be negative")
	c.need(m.MaxCapacity <= 0 || m.MinCapacity <= m.MaxCapacity, path+".max_capacity", "最小より小さくなっています", "it is below the minimum")
}

// raw checks words that are compared with what a sensor read; the sensor's never hold more than this.
func (c *check) raw(path, s string) {
	c.need(len(s) <= maxSerial && isClean(s), path, "256バイトまで、制御文字なしにしてください", "no more than 256 bytes, without control characters")
}

func (c *check) grants(grants []Grant) {
	if len(grants) > MaxGrants {
		c.say("grants", fmt.Sprintf("媒体使用許可は%d件までです", MaxGrants), fmt.Sprintf("no more than %d grants", MaxGrants))
		return
	}
	seen := map[string]bool{}
	for i := range grants {
		g, at := &grants[i], fmt.Sprintf("grants[%d]", i)
		c.need(g.ID != "" && len(g.ID) <= maxID && isClean(g.ID), at+".id", "許可の番号がありません", "the grant has no usable id")
		c.need(!seen[g.ID], at+".id", "同じ番号の許可があります", "another grant has this id")
		seen[g.ID] = true
		c.identity(at, g)
		c.need(!g.From.IsZero(), at+".from", "開始日時を入れてください", "give it a beginning")
		c.need(g.Until.After(g.From), at+".until", "終了日時は開始日時より後にしてください", "the end must be after the beginning")
		c.text(at+".approver", g.Approver, maxText)
	}
}

func (c *check) identity(at string, g *Grant) {
	usb := g.Bus == "" || g.Bus == BusUSB
	c.need(g.Bus == "" || slices.Contains(buses, g.Bus), at+".bus", "知らない接続方式です", "this bus is not known")
	c.need(!usb || hex4Form.MatchString(g.Vendor), at+".vendor", "製造者IDは16進4桁の小文字で書いてください", "write the vendor as 4 lower-case hex digits")
	c.need(!usb || hex4Form.MatchString(g.Product), at+".product", "製品IDは16進4桁の小文字で書いてください", "write the product as 4 lower-case hex digits")
	c.need(g.Digest == "" || digestForm.MatchString(g.Digest), at+".digest", "記述子の要約値が正しくありません", "the digest of the descriptors is not SHA-256 in hex")
	c.need(g.Serial != "" || (g.Digest != "" && g.Port != ""), at+".serial", "シリアル番号のない媒体には、記述子の要約値と接続位置の両方が要ります", "a medium without serial needs both digest and port")
	c.raw(at+".vendor", g.Vendor)
	c.raw(at+".product", g.Product)
	c.raw(at+".serial", g.Serial)
	c.raw(at+".port", g.Port)
}

// eachOf checks every value of a list field.
func eachOf[T ~string](c *check, path string, list []T, ok func(T) bool, ja, en string) {
	if len(list) > maxList {
		c.say(path, fmt.Sprintf("%d件までにしてください", maxList), fmt.Sprintf("no more than %d values", maxList))
		return
	}
	for i, v := range list {
		c.need(ok(v), fmt.Sprintf("%s[%d]", path, i), ja, en)
	}
}

func isID(s string) bool { return idForm.MatchString(s) }

func isClass(s string) bool { return classForm.MatchString(s) }

// isClean says that a text is whole UTF-8 on one line.
func isClean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
