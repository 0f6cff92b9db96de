package main

// What people are told to do on this system.
const (
	superuser  = "root"
	askService = "`systemctl status sekisho-agent`"
	runService = "`systemctl start sekisho-agent`"
	readLog    = "`journalctl -u sekisho-agent`"
	purged     = "removed; devices work as the kernel was made"
)

func hintSee() (ja, en string) {
	return "/sys に sysfs が必要です", "sysfs must be mounted on /sys"
}

func hintHear() (ja, en string) {
	return "カーネルの netlink の通知を、エージェントに許してください", "the kernel's netlink messages must not be forbidden to the agent"
}

func hintGate() (ja, en string) {
	return "「%s」であるべきです。エージェントを再起動し、続くなら /sys/bus/usb と /etc/udev/rules.d をだれが変えているか調べてください",
		"should be %s; restart the agent, then look who else writes /sys/bus/usb or /etc/udev/rules.d"
}
