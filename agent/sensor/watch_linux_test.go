package sensor

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sekisho/internal/policy"
)

func TestAStickIsToldWhenItsInterfaceExistsAndNotBefore(t *testing.T) {
	story(t, nothing, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		dir := m.usb(xhci+"/1-2", describes(bot), nil)
		k.usb("add", dir)
		want(t, "after add", heard(events), "")
		m.configure(dir, bot)
		k.say("add", part(dir, bot), "usb", "usb_interface")
		want(t, "after its interface", heard(events), "attach 1-2")
		k.usb("bind", dir)
		want(t, "after bind", heard(events), "")
		m.pull(dir)
		k.say("remove", part(dir, bot), "usb", "usb_interface")
		k.say("remove", dir, "usb", "usb_device", "DEVNUM=001")
		gone := fetch(events)
		want(t, "events", len(gone), 1)
		want(t, "what", gone[0].What, policy.EventDetach)
		want(t, "the last known serial", gone[0].Device.Serial, "4C53")
	})
}

func TestADeviceOfTwoInterfacesIsToldWhenTheKernelHasMadeBoth(t *testing.T) {
	story(t, nothing, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		dir := m.usb(xhci+"/1-2", describes(bot, keyboard), nil)
		k.usb("add", dir)
		want(t, "after add", heard(events), "")
		m.configure(dir, bot)
		m.attrs(dir, map[string]string{"bNumInterfaces": " 2"})
		k.say("add", part(dir, bot), "usb", "usb_interface")
		want(t, "after the first", heard(events), "")
		m.configure(dir, bot, keyboard)
		k.say("add", part(dir, keyboard), "usb", "usb_interface")
		want(t, "after the second", heard(events), "attach 1-2")
	})
}

func TestADeviceThatIsNeverConfiguredIsToldAfterASecond(t *testing.T) {
	story(t, nothing, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		k.usb("add", m.usb(xhci+"/1-2", []byte{18, 1, 0}, nil))
		want(t, "at once", heard(events), "")
		time.Sleep(patience)
		late := fetch(events)
		want(t, "events", len(late), 1)
		want(t, "kinds", kinds(late[0].Device), "unknown")
	})
}

func TestADeviceHeldBackAsAWholeIsToldAtOnce(t *testing.T) {
	story(t, nothing, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		k.usb("add", m.usb(xhci+"/1-2", describes(bot), map[string]string{"authorized": "0"}))
		want(t, "told", heard(events), "attach 1-2")
	})
}

func TestAnotherStickOnTheSamePortIsAnotherVisit(t *testing.T) {
	story(t, func(m *machine) { m.stick("1-2") }, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		there := fetch(events)
		want(t, "present", there[0].Present, true)
		m.pull(xhci + "/1-2")
		dir := m.usb(xhci+"/1-2", describes(bot), map[string]string{"serial": "other"})
		m.configure(dir, bot)
		k.say("remove", dir, "usb", "usb_device", "DEVNUM=001")
		k.usb("add", dir)
		k.usb("bind", dir)
		both := fetch(events)
		want(t, "events", len(both), 2)
		want(t, "first", both[0].What+" "+both[0].Device.Serial, "detach 4C53")
		want(t, "second", both[1].What+" "+both[1].Device.Serial, "attach other")
		want(t, "present", both[1].Present, false)
	})
}

func TestAStickPulledOutBeforeItCouldBeReadIsNotTakenForTheNextOne(t *testing.T) {
	story(t, nothing, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		m.num = 7
		dir := m.stick("1-2") // the next one, address 8, is there already
		k.say("add", dir, "usb", "usb_device", "DEVNUM=007", "PRODUCT=90c/1000/1100")
		k.say("remove", dir, "usb", "usb_device", "DEVNUM=007", "PRODUCT=90c/1000/1100")
		list := fetch(events)
		want(t, "events", len(list), 2)
		want(t, "ids", list[0].Device.Vendor+":"+list[0].Device.Product, "090c:1000")
		want(t, "serial", list[0].Device.Serial, "")
		want(t, "kinds", kinds(list[0].Device), "unknown")
		k.usb("add", dir)
		want(t, "then", heard(events), "attach 1-2")
	})
}

func TestEventsFromBeforeTheEnumerationTellNothingTwice(t *testing.T) {
	story(t, func(m *machine) { m.stick("1-2") }, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		want(t, "present", heard(events), "attach 1-2")
		k.usb("add", xhci+"/1-2")
		k.say("add", part(xhci+"/1-2", bot), "usb", "usb_interface")
		k.usb("bind", xhci+"/1-2")
		want(t, "again", heard(events), "")
	})
}

func TestInterfacesOfAnotherConfigurationAreTold(t *testing.T) {
	story(t, func(m *machine) { m.stick("1-2") }, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		heard(events)
		k.say("remove", part(xhci+"/1-2", bot), "usb", "usb_interface")
		k.say("add", part(xhci+"/1-2", bot), "usb", "usb_interface")
		want(t, "told", heard(events), "change 1-2")
	})
}

func TestCapacityFollowsTheBlockDeviceAndStaysWhenAHandTakesItAway(t *testing.T) {
	story(t, func(m *machine) { m.stick("1-2") }, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		heard(events)
		block := part(xhci+"/1-2", bot) + "/host2/target2:0:0/2:0:0:0/block/sda"
		m.attrs(block, map[string]string{"size": "2048"})
		k.say("add", block, "block", "disk")
		told := fetch(events)
		want(t, "events", len(told), 1)
		want(t, "capacity", told[0].Device.Capacity, 1<<20)
		m.pull(block)
		k.say("remove", block, "block", "disk")
		want(t, "after the hand", heard(events), "")
		m.attrs(block, map[string]string{"size": "0"})
		k.say("change", block, "block", "disk")
		want(t, "medium taken out", heard(events), "change 1-2")
	})
}

func TestLostEventsAreMadeUpForByLookingAgain(t *testing.T) {
	story(t, func(m *machine) { m.stick("1-2"); m.stick("1-3"); m.stick("1-4") }, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		want(t, "present", heard(events), "attach 1-2, attach 1-3, attach 1-4")
		m.pull(xhci + "/1-2")
		m.pull(xhci + "/1-3")
		m.stick("1-3") // another insertion on the same port
		m.stick("1-5")
		k.said <- signal{err: errOverflow}
		want(t, "differences", heard(events), "detach 1-2, detach 1-3, attach 1-3, attach 1-5")
	})
}

func TestAStormBeforeASlowGuardKeepsTheFinalState(t *testing.T) {
	story(t, nothing, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		for i := range 500 {
			dir := m.stick("1-2")
			k.usb("add", dir)
			k.usb("bind", dir)
			synctest.Wait()
			m.pull(dir)
			k.say("remove", dir, "usb", "usb_device", fmt.Sprintf("DEVNUM=%03d", i+1))
			synctest.Wait()
		}
		k.usb("add", m.stick("1-2"))
		list := fetch(events)
		if len(list) > 64+4 {
			t.Errorf("%d events were kept", len(list))
		}
		attached := 0
		for _, ev := range list {
			switch ev.What {
			case policy.EventAttach:
				attached++
			case policy.EventDetach:
				attached--
			}
			if attached < 0 || attached > 1 {
				t.Fatal("attach and detach do not alternate")
			}
		}
		want(t, "attached in the end", attached, 1)
	})
}

func TestDisksOfTheFirstStartAreTheMachinesOwnAndLaterOnesAreNot(t *testing.T) {
	disk := func(m *machine, id, serial string) string {
		dir := ahci + "/ata1/host0/target0:0:0/" + id
		m.attrs(dir, map[string]string{"type": "0", "vendor": "ATA     ", "model": "WDC", "vpd_pg80": "\x00\x80\x00\x04" + serial})
		m.link("sys/bus/scsi/devices/"+id, "sys/"+dir)
		return dir
	}
	var kept []string
	story(t, func(m *machine) { disk(m, "0:0:0:0", "OWN1") }, first, func(m *machine, k *kernel, events <-chan policy.Event) {
		own := fetch(events)
		want(t, "kinds", kinds(own[0].Device), "system")
		kept = SystemDisks([]policy.Device{own[0].Device})
		k.say("add", disk(m, "0:0:1:0", "NEW1"), "scsi", "scsi_device")
		want(t, "later", kinds(fetch(events)[0].Device), "disk")
	})
	again := func(o *Options) { o.System = kept }
	story(t, func(m *machine) { disk(m, "0:0:0:0", "OWN1") }, again, func(m *machine, k *kernel, events <-chan policy.Event) {
		want(t, "same boot", kinds(fetch(events)[0].Device), "system")
	})
	story(t, func(m *machine) { disk(m, "0:0:0:0", "EVIL") }, again, func(m *machine, k *kernel, events <-chan policy.Event) {
		want(t, "another disk in its place", kinds(fetch(events)[0].Device), "disk")
	})
}

func TestAnNVMeDiskStaysAttachedWhenItsDriverIsTakenAway(t *testing.T) {
	story(t, nothing, usual, func(m *machine, k *kernel, events <-chan policy.Event) {
		dir := nvme(m)
		controller := dir + "/nvme/nvme0"
		k.say("add", dir, "pci", "")
		want(t, "before its serial is known", heard(events), "")
		m.attrs(controller, map[string]string{"serial": "(efault)"}) // seen on a real kernel
		k.say("add", controller, "nvme", "")
		want(t, "while it identifies itself", heard(events), "")
		m.attrs(controller, map[string]string{"serial": "S1       ", "model": "SSD"})
		k.say("change", controller, "nvme", "", "NVME_EVENT=connected")
		told := fetch(events)
		want(t, "events", len(told), 1)
		want(t, "device", told[0].Device.ID+" "+told[0].Device.Serial+" "+kinds(told[0].Device), "0000:03:00.0 S1 disk")
		m.pull(controller)
		k.say("remove", controller, "nvme", "")
		k.say("unbind", dir, "pci", "")
		want(t, "driver taken away", heard(events), "")
		m.pull(dir)
		k.say("remove", dir, "pci", "")
		want(t, "pulled out", heard(events), "detach 0000:03:00.0")
	})
}

func nvme(m *machine) string {
	dir := "devices/pci0000:00/0000:00:1d.0/0000:03:00.0"
	m.attrs("devices/pci0000:00/0000:00:1d.0", map[string]string{"removable": "removable", "class": "0x060400"})
	m.attrs(dir, map[string]string{"vendor": "0x144d", "device": "0xa808", "class": "0x010802"})
	m.link("sys/bus/pci/devices/0000:03:00.0", "sys/"+dir)
	m.link("sys/bus/pci/devices/0000:00:1d.0", "sys/devices/pci0000:00/0000:00:1d.0")
	return dir
}
