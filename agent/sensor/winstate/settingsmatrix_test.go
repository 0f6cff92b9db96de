package winstate_test

// tried says of a check how far a Wine can try it, in the words of docs/checks.md.
type tried struct {
	check string
	how   string
}

// What the column "tried" of docs/checks.md may say.
const (
	byRegistry = "Wine: registry"
	byService  = "Wine: registry, service"
	byProcess  = "Wine: registry, process"
	byClock    = "Wine: the agent's own clock"
	byCards    = "Wine: cards and routes of the machine; made up: other cards"
	byDisks    = "Wine: registry; made up: firmware"
	made       = "made up"
)

// settingsTried is every check of settings and the network.
func settingsTried() []tried {
	return []tried{
		{"settings.firewall", byService}, {"settings.disk_encryption", made}, {"settings.boot_password", made}, {"settings.secure_boot", byRegistry},
		{"settings.screen_lock", byRegistry}, {"settings.autologin", byRegistry}, {"settings.guest", made}, {"settings.admins", made},
		{"settings.unused_accounts", made}, {"settings.password_policy", made}, {"settings.autorun", byRegistry}, {"settings.remote", byProcess},
		{"settings.clock", byClock}, {"settings.hardware", byDisks},
		{"network.second_card", byCards}, {"network.wifi", made}, {"network.tether", made}, {"network.modem", made}, {"network.second_route", byCards},
		{"network.gateway", made}, {"network.vpn", made}, {"network.proxy", byRegistry},
	}
}
