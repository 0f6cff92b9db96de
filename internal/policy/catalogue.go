package policy

import "slices"

// Areas that checks are grouped in.
const (
	AreaAntivirus = "antivirus"
	AreaPatch     = "patch"
	AreaSettings  = "settings"
	AreaNetwork   = "network"
)

// CheckInfo is what this package knows of a check: what it is called, what the user does about a failure, and how it is judged.
type CheckInfo struct {
	ID     string
	Area   string
	Name   Text
	Todo   Text
	Clause string
	Limits map[string]Span
	Grace  Grace
	OS     []string // where it can be judged; none is everywhere
	Dated  bool     // it fails by time passing: a terminal that comes back gets time to catch up
	Lists  bool     // Check.Allowed means something
	Unset  bool     // off until somebody fills its list
	judge  func(*judging) verdict
}

// CheckOf gives what is known of a check.
func CheckOf(id string) (CheckInfo, bool) {
	for _, c := range catalogue() {
		if c.ID == id {
			return c, true
		}
	}
	return CheckInfo{}, false
}

// Catalogue gives every check, in the order in which they are shown.
func Catalogue() []CheckInfo { return catalogue() }

func days(n int64) Span    { return Span{n, UnitDays} }
func working(n int64) Span { return Span{n, UnitWorkingDays} }

// Graces: what keeps people out is given time, what opens the closed LAN is not.
var (
	graceUsual = Grace{Warning: working(1), Violation: working(3)}
	graceSlow  = Grace{Warning: working(5), Violation: working(10)}
	graceNone  = Grace{}
)

func catalogue() []CheckInfo {
	return slices.Concat(antivirusChecks(), patchChecks(), settingsChecks(), networkChecks())
}

func antivirusChecks() []CheckInfo {
	call := Text{JA: "ウイルス対策ソフトを起動してください。起動できないときは担当に連絡してください。", EN: "Start the antivirus software. If it does not start, call the contact."}
	update := Text{JA: "配布元につながるネットワークでパターンファイルを更新し、そのまましばらくお待ちください。", EN: "Update the pattern file on the network of its distribution source, and wait a while."}
	return []CheckInfo{
		{ID: "antivirus.present", Area: AreaAntivirus, Clause: ClauseAntivirus, Grace: graceUsual, judge: judgePresent, Todo: call,
			Name: Text{JA: "ウイルス対策ソフトの導入と動作", EN: "Antivirus software is there and running"}},
		{ID: "antivirus.realtime", Area: AreaAntivirus, Clause: ClauseAntivirus, Grace: graceUsual, judge: judgeRealtime,
			Name: Text{JA: "リアルタイム検査", EN: "Real-time scan"},
			Todo: Text{JA: "ウイルス対策ソフトのリアルタイム検査を有効にしてください。", EN: "Turn on the antivirus software's real-time scan."}},
		{ID: "antivirus.patterns", Area: AreaAntivirus, Clause: ClauseAntivirus, Grace: graceUsual, Dated: true, judge: judgePatterns, Todo: update,
			Limits: map[string]Span{"behind": working(3), "source": days(7)},
			Name:   Text{JA: "パターンファイル(配布元からの遅れ)", EN: "Pattern file: not behind its source"}},
		{ID: "antivirus.source", Area: AreaAntivirus, Clause: ClauseAntivirus, Grace: graceUsual, Dated: true, judge: judgeSource,
			Limits: map[string]Span{"age": days(7)},
			Name:   Text{JA: "パターンファイル(配布元の新しさ)", EN: "Pattern file: its source is new"},
			Todo:   Text{JA: "利用者の操作は不要です。担当が配布元のパターンファイルを更新します。", EN: "Nothing to do here: the administrator renews the distribution source."}},
		{ID: "antivirus.scan_full", Area: AreaAntivirus, Clause: ClauseScan, Grace: graceSlow, Dated: true, judge: judgeScan,
			Limits: map[string]Span{"age": days(30)},
			Name:   Text{JA: "全体検査", EN: "Full scan"},
			Todo:   Text{JA: "ウイルス対策ソフトで全体検査を実行してください。", EN: "Run a full scan with the antivirus software."}},
	}
}

func patchChecks() []CheckInfo {
	limits := map[string]Span{"lists": days(7), "baseline": days(35)}
	return []CheckInfo{
		{ID: "patch.level", Area: AreaPatch, Clause: ClausePatch, Grace: graceUsual, Dated: true, Lists: true, judge: judgeUpdates,
			Limits: map[string]Span{"overdue": days(14), "lists": limits["lists"], "baseline": limits["baseline"]},
			Name:   Text{JA: "セキュリティパッチ", EN: "Security patches"},
			Todo:   Text{JA: "セキュリティパッチを適用し、端末を再起動してください。", EN: "Apply the security patches and restart the terminal."}},
		{ID: "patch.baseline_age", Area: AreaPatch, Clause: ClausePatch, Grace: graceUsual, Dated: true, judge: judgeBaselineAge, Limits: limits,
			Name: Text{JA: "基準ファイルの新しさ", EN: "Age of the baseline"},
			Todo: Text{JA: "利用者の操作は不要です。担当が基準ファイルを更新します。", EN: "Nothing to do here: the administrator renews the baseline."}},
		{ID: "patch.reboot", Area: AreaPatch, Clause: ClausePatch, Grace: graceUsual, judge: nothing(FactReboots, CodeWaiting),
			Name: Text{JA: "再起動待ち", EN: "Waiting for a restart"},
			Todo: Text{JA: "作業を保存して、端末を再起動してください。", EN: "Save your work and restart the terminal."}},
		{ID: "patch.support", Area: AreaPatch, Clause: ClausePatch, Grace: graceSlow, Dated: true, judge: judgeSupport,
			Name: Text{JA: "OSのサポート終了", EN: "End of support of the system"},
			Todo: Text{JA: "利用者の操作は不要です。担当がOSの更新を計画します。", EN: "Nothing to do here: the administrator plans the upgrade."}},
	}
}

func settingsChecks() []CheckInfo {
	admin := Text{JA: "担当に連絡してください。設定を直します。", EN: "Call the contact, who puts the setting right."}
	setting := func(id, ja, en string, clause string, judge func(*judging) verdict) CheckInfo {
		return CheckInfo{ID: "settings." + id, Area: AreaSettings, Clause: clause, Grace: graceUsual, Name: Text{JA: ja, EN: en}, Todo: admin, judge: judge}
	}
	listed := func(c CheckInfo) CheckInfo { c.Lists = true; return c }
	unset := func(c CheckInfo) CheckInfo { c.Lists, c.Unset = true, true; return c }
	limited := func(c CheckInfo, name string, s Span) CheckInfo { c.Limits = map[string]Span{name: s}; return c }
	return []CheckInfo{
		setting("firewall", "ファイアウォール", "Firewall", ClauseIntrusion, allOn(FactFirewall)),
		setting("disk_encryption", "ディスク暗号化", "Disk encryption", ClauseCarriedOut, allOn(FactEncrypted)),
		setting("boot_password", "起動パスワード", "Boot password", ClauseCarriedOut, allOn(FactBootPassword)),
		setting("secure_boot", "セキュアブート", "Secure Boot", ClauseIntrusion, allOn(FactSecureBoot)),
		limited(setting("screen_lock", "画面ロック", "Screen lock", ClauseLogin, judgeLock), "idle", Span{10, UnitMinutes}),
		listed(setting("autologin", "自動ログオン", "Automatic login", ClauseLogin, nothing(FactAutologin, CodeFound))),
		listed(setting("guest", "Guestアカウント", "Guest account", ClauseLogin, nothing(FactGuests, CodeFound))),
		unset(setting("admins", "管理者権限を持つアカウント", "Accounts with administrator rights", ClauseLogin, onlyListed(FactAdmins))),
		listed(limited(setting("unused_accounts", "使われていないアカウント", "Unused accounts", ClauseLogin, judgeAccounts), "unused", days(90))),
		listed(limited(setting("password_policy", "パスワードの規則", "Password rules", ClauseLogin, judgePasswords), "length", Span{10, UnitCharacters})),
		setting("autorun", "自動再生", "Autorun", ClauseIntrusion, off(FactAutorun)),
		listed(setting("remote", "遠隔操作", "Remote control", ClauseAccess, nothing(FactRemote, CodeFound))),
		limited(setting("clock", "時刻のずれ", "Clock offset", ClauseIntrusion, judgeClock), "offset", Span{5, UnitMinutes}),
		listed(setting("hardware", "メモリとディスクの構成変更", "Changes of memory and disks", ClauseCarryOut, nothing(FactHardware, CodeFound))),
	}
}

func networkChecks() []CheckInfo {
	unplug := Text{JA: "別のネットワークへの接続を外してください。必要なときは担当に連絡してください。", EN: "Disconnect the other network. If you need it, call the contact."}
	network := func(id, ja, en string, judge func(*judging) verdict) CheckInfo {
		return CheckInfo{ID: "network." + id, Area: AreaNetwork, Clause: ClauseNetwork, Grace: graceNone, Lists: true, Name: Text{JA: ja, EN: en}, Todo: unplug, judge: judge}
	}
	gateway := network("gateway", "ゲートウェイ", "Gateway", onlyListed(FactGateways))
	gateway.Unset = true
	return []CheckInfo{
		network("second_card", "二重接続(二枚目のネットワークカード)", "Dual connection: second network card", oneAtMost(FactCards)),
		network("wifi", "無線LAN", "Wireless network", nothing(FactWifi, CodeFound)),
		network("tether", "テザリング", "Tethering", nothing(FactTethers, CodeFound)),
		network("modem", "モバイル通信", "Mobile modem", nothing(FactModems, CodeFound)),
		network("second_route", "二重接続(二つ目の既定経路)", "Dual connection: second default route", oneAtMost(FactRoutes)),
		gateway,
		network("vpn", "VPN", "VPN", nothing(FactVPNs, CodeFound)),
		network("proxy", "プロキシの設定", "Proxy settings", nothing(FactProxies, CodeFound)),
	}
}

// Clause ids of the seed catalogue that checks stand on.
const (
	ClauseAntivirus  = "II3-1"  // antivirus everywhere, patterns always the newest
	ClauseScan       = "II3-2a" // scanned regularly
	ClauseIntrusion  = "P2-3"
	ClausePatch      = "T5-5" // the title alone is known
	ClauseCarriedOut = "II1-2c"
	ClauseLogin      = "II1-3"
	ClauseAccess     = "II2-2"
)

// HealthClauses is the part of the clause catalogue that checks need beside DefaultClauses.
func HealthClauses() map[string]Clause {
	rules := func(at, quote string) Clause {
		return Clause{Title: Text{JA: "情報システム等運用管理規程 " + at, EN: "Operation Rules for Information Systems " + at}, Quote: quote}
	}
	return map[string]Clause{
		ClauseAntivirus: rules("II(3)①", "全てのサーバー、端末にアンチウィルスソフトを導入し、パターンファイルは常に最新のものを使用する。"),
		ClauseScan:      rules("II(3)②", "ソフトウェア等は定期的、着信メールは全て、ウィルスチェックを行う。"),
		ClauseIntrusion: {Title: Text{JA: "情報セキュリティ基本方針 2(2)③", EN: "Basic Policy on Information Security 2(2)③"},
			Quote: "コンピューターウィルスの侵入、外部からの不正アクセスに対する対策の実施"},
		ClausePatch: {Title: Text{JA: "情報セキュリティ運用 5 一般的な運用事項", EN: "Security operation 5, general matters"},
			Quote: "一般的な運用事項（セキュリティパッチ、ウィルス対策等）"},
		ClauseCarriedOut: rules("II(1)②", "持出す情報機器には、起動パスワードの設定、ウィルス対策ソフトのインストールを行う。"),
		ClauseLogin:      rules("II(1)③", "利用者の認証は、公開鍵基盤の秘密鍵及び PKI 証明書が格納された IC カードを用いる方式、又は利用者の ID とパスワードを用いる方式のいずれかとする。"),
		ClauseAccess:     rules("II(2)②", "外部のネットワークと LAN を接続する場合は、適切なアクセスポイント、プロトコルの限定、アクセス権限管理等を行って不必要的ログインを防止する。"),
	}
}

// DefaultHealth is what a new group's policy begins with: everything is looked at, nobody is told yet.
func DefaultHealth() *Health {
	h := &Health{Mode: ModeAudit, Settle: Span{4, UnitHours}, Probes: DefaultProbes()}
	for _, c := range catalogue() {
		h.Checks = append(h.Checks, Check{ID: c.ID, Off: c.Unset, Clause: c.Clause})
	}
	return h
}

// DefaultProbes is how the products are recognised that are known without an administrator.
func DefaultProbes() []Probe { return append(linuxProbes(), windowsProbes()...) }
