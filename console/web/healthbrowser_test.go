//go:build browser

package web

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestThePagesOfChecksAreAccessibleAndFit(t *testing.T) {
	s := newSite(t, bundledAssets(t))
	f := s.fill()
	for i := range 60 {
		id := fmt.Sprintf("t-many-%02d", i)
		s.terminal(id, fmt.Sprintf("KT-%04d", 200+i), f.group)
		if i%7 != 0 {
			s.sheet(id, fullSheet(s.now)[i%4:]...)
		}
	}
	w := openWindow(t, s)
	w.signIn("1007")
	for _, look := range []struct {
		lang, theme string
		width       int
	}{{"ja", "light", 1280}, {"ja", "light", 390}, {"en", "dark", 1280}, {"en", "light", 390}} {
		w.look(look.lang, look.theme)
		w.do(chromedp.EmulateViewport(int64(look.width), 900))
		for _, address := range append(f.healthAddresses(), "/") {
			page := fmt.Sprintf("%s %s %s %d", address, look.lang, look.theme, look.width)
			w.open(address)
			w.axe(page)
			w.fits(page, look.width)
			w.keep(fmt.Sprintf("%s-%s-%s-%d", fileName.Replace(address), look.lang, look.theme, look.width))
			w.silent(page)
		}
	}
}
