package main

import (
	"fmt"
	"io"
	"path/filepath"
)

// setupWords is one language of what setup says to a person.
type setupWords struct {
	lang                                                               string
	hello, askName, badName, onlyHere, noAddress, askContact, askPhone string
	kept, then, run, trust, link, keptNothing                          string
}

func setupWordsOf(lang string) setupWords {
	if lang == "en" {
		return setupWords{
			lang:  "en",
			hello: "Sekisho console: %d question(s). Enter alone takes what stands in [ ].\n",
			askName: "Under which name or address do terminals and people reach this console?\n" +
				"  A name of the office's DNS that stays; several with spaces between them, the main one first.\n  [%s] ",
			badName:    "  → Write a host name such as sekisho.example.lan, or an address such as 192.0.2.10; without https:// and port.\n      ",
			onlyHere:   "  ! %s is reached from this machine only.\n",
			noAddress:  "  ! The name service knows no address of %s yet. Terminals need one before they can be enrolled.\n",
			askContact: "Whom shall users call when something was stopped? (for example: IT section; empty: decide later)\n  [] ",
			askPhone:   "Telephone or extension of that contact? (for example: ext. 2300; empty: decide later)\n  [] ",
			kept:       "Written: %s\n", keptNothing: "Nothing had to be written: the configuration has its answers.\n",
			then:  "What to do next:\n",
			run:   "  1. Start the console; one that runs needs a restart:\n       %s\n",
			trust: "  2. Make the browsers of those who use the console trust its CA: %s\n       SHA-256 %s\n",
			link:  "  3. Open this within one hour and make the first administrator (it works once, there is no default password):\n       %s\n",
		}
	}
	return setupWords{
		lang:  "ja",
		hello: "Sekisho 管理コンソール: お尋ねすることは %d 件です。[ ] の中でよければ、そのまま Enter を押してください。\n",
		askName: "端末と管理する人が、このコンソールにつなぐときの名前かアドレスは?\n" +
			"  庁内のDNSで引けて、あとで変えない名前。複数は空白で区切り、主なものを先に書きます。\n  [%s] ",
		badName:    "  → sekisho.example.lan のような名前か、192.0.2.10 のようなアドレスで書いてください。https:// と番号は要りません。\n      ",
		onlyHere:   "  ! %s では、この機械からしかつなげません。\n",
		noAddress:  "  ! %s は、まだ名前の解決ができません。端末を導入する前に、DNSに登録してください。\n",
		askContact: "止めたとき、利用者に知らせる連絡先は?(例: 総務課 情報係。空のまま、あとで決めてもかまいません)\n  [] ",
		askPhone:   "その連絡先の電話・内線は?(例: 内線 2300。空のまま、あとで決めてもかまいません)\n  [] ",
		kept:       "書きました: %s\n", keptNothing: "書くものはありません。設定にはすでに答えがあります。\n",
		then:  "次にすること:\n",
		run:   "  1. コンソールを始める。動いているものは、始め直す:\n       %s\n",
		trust: "  2. 管理する人のブラウザーに、このCA証明書を入れる: %s\n       SHA-256 %s\n",
		link:  "  3. 1時間のうちに次を開き、最初の管理者を作る(1回だけ使えます。初期パスワードはありません):\n       %s\n",
	}
}

// next says what was written and what comes now.
func (w setupWords) next(out io.Writer, h *house, done []string, link string) {
	fmt.Fprintln(out)
	if len(done) == 0 {
		fmt.Fprint(out, w.keptNothing)
	}
	for _, d := range done {
		fmt.Fprintf(out, w.kept, d)
	}
	fmt.Fprint(out, w.then)
	fmt.Fprintf(out, w.run, begin)
	fmt.Fprintf(out, w.trust, filepath.Join(h.state, "ca.crt"), h.ca.Fingerprint())
	fmt.Fprintf(out, w.link, link)
}
