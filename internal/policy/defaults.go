package policy

// Clause ids of the seed catalogue that the default rules stand on.
const (
	ClauseMedia    = "P2-4a"  // no removable storage media
	ClauseCarryOut = "II1-2a" // nothing is carried out but what is listed
	ClauseNetwork  = "II2-1"  // the LAN is apart from every other network
	ClauseSoftware = "P2-4b"  // no software is installed
)

var (
	nameSafe    = Text{JA: "常に許可する装置(キーボード、マウス、ハブ、ICカードリーダー)", EN: "Always allowed: keyboard, mouse, hub, IC-card reader"}
	nameSystem  = Text{JA: "端末の内蔵ディスク", EN: "The terminal's own disk"}
	nameGrant   = Text{JA: "媒体使用許可", EN: "Media use permission"}
	nameDefault = Text{JA: "組込みの既定: 記憶する装置と判別できない装置は禁止", EN: "Built-in default: deny what stores or cannot be recognised"}
)

// Builtin is the policy of a terminal that has not received one yet: the default rules, no grants, revision 0.
func Builtin(mode Mode) *Policy {
	return &Policy{Schema: Schema, RemovableMedia: DefaultControl(mode), Clauses: DefaultClauses()}
}

// DefaultControl is what a new group's policy starts with; from there on the rules belong to the administrator.
//
// A USB network card without storage is reported and not blocked, because it may be the terminal's only way
// to the console, which must never be lost; what only telephones and modems do is blocked.
func DefaultControl(mode Mode) Control {
	return Control{Mode: mode, Rules: []Rule{
		{
			ID: "block-composite", Action: ActionBlock, Clause: ClauseMedia, Alarm: true,
			Name:  Text{JA: "複合装置(記憶とキーボード・通信などを兼ねる装置)は禁止", EN: "Deny composite devices (storage that is also a keyboard, network card or the like)"},
			Match: Match{Composite: true},
		},
		{
			ID: "default-block-storage", Action: ActionBlock, Clause: ClauseMedia,
			Name:  Text{JA: "既定: 記憶する装置は禁止", EN: "Default: deny every device that stores"},
			Match: Match{Kind: []Kind{KindStorage, KindPortable, KindCard, KindOptical, KindDisk}},
		},
		{
			ID: "default-block-tether", Action: ActionBlock, Clause: ClauseNetwork,
			Name: Text{JA: "既定: テザリングとモバイル通信の装置は禁止", EN: "Default: deny tethering and mobile broadband"},
			// RNDIS in its four forms, MBIM
			Match: Match{Class: []string{"e0/01/03", "ef/04", "ef/01", "02/02/ff", "02/0e"}},
		},
		{
			ID: "default-block-unknown", Action: ActionBlock, Clause: ClauseMedia,
			Name:  Text{JA: "既定: 判別できない装置は禁止", EN: "Default: deny what cannot be recognised"},
			Match: Match{Kind: []Kind{KindUnknown}},
		},
		{
			ID: "default-report-network", Action: ActionReport, Clause: ClauseNetwork,
			Name:  Text{JA: "既定: 通信する装置は検知のみ", EN: "Default: detect network and wireless devices"},
			Match: Match{Kind: []Kind{KindNetwork, KindWireless}},
		},
		{
			ID: "default-report-vendor", Action: ActionReport,
			Name:  Text{JA: "既定: 製造者独自の装置とシリアル通信の装置は検知のみ", EN: "Default: detect vendor-specific and serial devices"},
			Match: Match{Kind: []Kind{KindVendor, KindSerial}},
		},
		{
			ID: "default-allow", Action: ActionAllow,
			Name: Text{JA: "既定: そのほかの装置は許可", EN: "Default: allow every other device"},
		},
	}}
}

// DefaultClauses is the part of the clause catalogue that the default rules need, in the regulations' own spelling.
func DefaultClauses() map[string]Clause {
	return map[string]Clause{
		ClauseMedia: {
			Title: Text{JA: "情報セキュリティ基本方針 2(2)④", EN: "Basic Policy on Information Security 2(2)④"},
			Quote: "USB メモリ等の外部記憶媒体の接続の禁止",
		},
		ClauseSoftware: {
			Title: Text{JA: "情報セキュリティ基本方針 2(2)④", EN: "Basic Policy on Information Security 2(2)④"},
			Quote: "ソフトウェアのインストールの禁止",
		},
		ClauseCarryOut: {
			Title: Text{JA: "情報システム等運用管理規程 II(1)②", EN: "Operation Rules for Information Systems II(1)②"},
			Quote: "情報及び情報機器は、持出し対象として規定されたもの以外の持出しを禁止",
		},
		ClauseNetwork: {
			Title: Text{JA: "情報システム等運用管理規程 II(2)①", EN: "Operation Rules for Information Systems II(2)①"},
			Quote: "個人情報にアクセスするための当広域連合の LAN は、インターネット等による当広域連合外と情報交換できるネットワークとは物理的に遮断する。",
		},
	}
}
