package policy

import "time"

// grantFor gives the first grant that covers the device now.
func (p *Policy) grantFor(dev Device, now time.Time) *Grant {
	if len(p.Grants) == 0 || !Grantable(dev.Kinds) {
		return nil
	}
	for i := range p.Grants {
		if g := &p.Grants[i]; g.running(now) && g.covers(dev) {
			return g
		}
	}
	return nil
}

// running says whether now is in the window; without an end there is no window.
func (g *Grant) running(now time.Time) bool { return !now.Before(g.From) && now.Before(g.Until) }

// covers says whether the device is the medium that the grant names.
func (g *Grant) covers(dev Device) bool {
	return g.identifies() &&
		g.Vendor == dev.Vendor && g.Product == dev.Product &&
		same(g.Serial, dev.Serial) && same(g.Bus, dev.Bus) && same(g.Digest, dev.Digest) && same(g.Port, dev.Port)
}

// identifies says whether the grant names one medium: by serial, or, for one that has none, by descriptors and port.
// A USB medium needs vendor and product beside it; another bus has no such numbers.
func (g *Grant) identifies() bool {
	if (g.Bus == "" || g.Bus == BusUSB) && (g.Vendor == "" || g.Product == "") {
		return false
	}
	return g.Serial != "" || (g.Digest != "" && g.Port != "")
}

// NextChange gives the earliest moment after now at which a grant or a software permission begins or ends, so that Decide
// may answer differently; zero when there is none. Until then the same device gets the same answer.
func NextChange(p *Policy, now time.Time) time.Time {
	var next time.Time
	if p == nil {
		return next
	}
	sooner := func(times ...time.Time) {
		for _, t := range times {
			if t.After(now) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	for _, g := range p.Grants {
		sooner(g.From, g.Until)
	}
	if p.Software != nil {
		for _, t := range p.Software.Permits {
			sooner(t.From, t.Until)
		}
	}
	return next
}

// WithoutGrants gives the policy for a terminal whose clock cannot be believed: a deadline means nothing there.
func (p *Policy) WithoutGrants() *Policy {
	if p == nil {
		return nil
	}
	bare := *p
	bare.Grants = nil
	if p.Software != nil {
		software := *p.Software
		software.Permits = nil
		bare.Software = &software
	}
	return &bare
}
