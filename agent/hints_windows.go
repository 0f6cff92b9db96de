package main

// What people are told to do on this system.
const (
	superuser  = "Administrator"
	askService = "`sc query sekisho-agent`"
	runService = "`sc start sekisho-agent`"
	readLog    = "eventvwr (Application, Sekisho)"
	purged     = "removed; devices work as Windows was set before"
)

func hintSee() (ja, en string) {
	return "Windows のプラグ アンド プレイが答えません。再起動してください", "Windows' plug and play does not answer; restart the machine"
}

func hintHear() (ja, en string) { return hintSee() }

func hintGate() (ja, en string) {
	return "「%s」であるべきです。エージェントを再起動し、続くならグループポリシー(デバイスのインストールの制限、リムーバブル記憶域へのアクセス)を調べてください",
		"should be %s; restart the agent, then look at the group policies for device installation and removable storage access"
}
