package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sekisho/agent/enforce"
	"sekisho/agent/link"
	"sekisho/agent/local"
	"sekisho/agent/sensor"
	"sekisho/internal/policy"
)

// Results of a check. Unknown is a result of its own, never a pass.
const (
	checkPass    = "pass"
	checkFail    = "fail"
	checkUnknown = "unknown"
)

// Bounds of what is well.
const (
	clockWell = 5 * time.Minute
	spaceWell = 256 << 20
	queueWell = 10_000
	contactOK = 30 * time.Minute
)

// finding is the result of one check, with what to do when it is no pass, in the words of who asked.
type finding struct {
	name, result, detail, advice string
}

// patient is what the doctor looks at.
type patient struct {
	root, socket string
	config       config
	configErr    error        // it may not be read by who asks
	answer       local.Answer // of the running agent
	answerErr    error
	now          time.Time
	words        statusWords
}

func doctorCommand(ctx context.Context, s streams, args []string) error {
	f := flags("doctor")
	path := f.String("config", defaultConfig, "configuration `file`")
	socket := f.String("socket", defaultSocket, "`path` of the agent's local socket")
	lang := f.String("lang", language(s.getenv), "`language`: ja or en")
	if err := parse(s, f, args, "Checks what could keep the agent from its work, and says what to do."); err != nil {
		return err
	}
	p := patient{root: "/", socket: *socket, now: time.Now(), words: wordsOf(*lang)}
	var err error
	p.config, err = readConfig(*path)
	if errors.Is(err, os.ErrPermission) {
		p.configErr = err // who may not read it can still be told the rest
	} else if err != nil {
		return err
	}
	p.answer, p.answerErr = local.Ask(ctx, p.socket, local.Request{Ask: local.AskStatus})
	if p.answerErr == nil && p.answer.Status == nil {
		p.answerErr = errors.New("cannot show the status: the agent gave none")
	}
	return p.tell(s, p.examine())
}

// say is one sentence in the language of who asked.
func (p patient) say(ja, en string) string {
	if p.words.lang == "en" {
		return en
	}
	return ja
}

func (p patient) examine() []finding {
	found := []finding{p.rights(), p.running(), p.sees(), p.gate(), p.early(), p.desktop(), p.console(), p.certificate(), p.clock(), p.queue(), p.space()}
	return append(found, p.descriptors()...)
}

// tell prints the table; the command fails when a check did.
func (p patient) tell(s streams, found []finding) error {
	results := map[string]string{checkPass: p.say("適合", "pass"), checkFail: p.say("不適合", "fail"), checkUnknown: p.say("確認不可", "unknown")}
	var rows [][]string
	bad := 0
	for _, f := range found {
		rows = append(rows, []string{results[f.result], f.name, f.detail})
		if f.result != checkPass && f.advice != "" {
			rows = append(rows, []string{"", "", "→ " + f.advice})
		}
		if f.result == checkFail {
			bad++
		}
	}
	table(s.out, rows)
	if bad > 0 {
		return fmt.Errorf(p.say("この端末は健全といえません: 点検%[2]d件のうち%[1]d件が不適合です", "cannot call this terminal healthy: %d of %d checks failed"), bad, len(found))
	}
	return nil
}

// judged is a finding by one condition.
func judged(name string, ok bool, detail, advice string) finding {
	if ok {
		return finding{name, checkPass, detail, ""}
	}
	return finding{name, checkFail, detail, advice}
}

func unknown(name string, err error, advice string) finding {
	return finding{name, checkUnknown, oneLine(err.Error()), advice}
}

func broken(name string, err error, advice string) finding {
	return finding{name, checkFail, oneLine(err.Error()), advice}
}

func (p patient) asRoot() string {
	return p.say("doctor を "+superuser+" で実行してください", "run doctor as "+superuser)
}
func (p patient) startAgent() string {
	return p.say("エージェントを起動してください: ", "start the agent: ") + runService
}

func (p patient) rights() finding {
	name := p.say("権限", "rights")
	if p.configErr != nil {
		return unknown(name, p.configErr, p.asRoot())
	}
	if privileged() {
		return finding{name, checkPass, superuser, ""}
	}
	return finding{name, checkUnknown, p.say(superuser+" ではないため、見られないものがあります", "not "+superuser+": some checks cannot look"), p.asRoot()}
}

func (p patient) running() finding {
	name := p.words.agent
	if p.answerErr != nil {
		return broken(name, p.words.unreachable(p.answerErr), runService+p.say(" のあと "+readLog+" を見てください", ", then "+readLog))
	}
	s := p.answer.Status
	if len(s.Faults) == 0 {
		return finding{name, checkPass, fmt.Sprintf(p.words.noFault, s.Agent), ""}
	}
	var faults []string
	for i := range s.Faults {
		faults = append(faults, p.words.faultWords(s, i))
	}
	return finding{name, checkFail, fmt.Sprintf(p.words.faults, s.Agent, strings.Join(faults, p.say("。", "; "))),
		p.say("`sekisho-agent status` が理由を示します。することは管理者の手引きにあります", "`sekisho-agent status` shows the reasons; the administrator's manual says what to do")}
}

// sees tries both eyes: sysfs by reading it, the kernel's messages by subscribing for a moment.
func (p patient) sees() finding {
	name := p.say("装置の検知", "devices")
	o := sensor.Options{Root: p.root, Log: zerolog.Nop(), Now: time.Now, System: []string{}}
	devices, err := sensor.Enumerate(o)
	if err != nil {
		return broken(name, err, p.say(hintSee()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	events, err := sensor.Watch(ctx, o)
	cancel()
	if err != nil {
		return broken(name, err, p.say(hintHear()))
	}
	for range events {
	}
	return finding{name, checkPass, fmt.Sprintf(p.say("装置 %d台を読み、カーネルの通知も受けられます", "%d devices read, kernel messages received"), len(devices)), ""}
}

// gate compares the kernel's switches and the udev rules with what the policy wants.
func (p patient) gate() finding {
	name := p.words.gate
	state := enforce.NewGate(enforce.Options{Root: p.root, Log: zerolog.Nop(), Now: time.Now}).State()
	is := p.gateWord(state)
	switch {
	case p.answerErr != nil:
		return finding{name, checkUnknown, is, p.startAgent()}
	case p.answer.Status.Gate == "none":
		return finding{name, checkPass, is + p.say("。エージェントは観察だけをしています", "; the agent only looks"), ""}
	}
	want := "open"
	if p.answer.Status.Mode == string(policy.ModeEnforce) {
		want = "shut"
	}
	return judged(name, state == want, is, fmt.Sprintf(p.say(hintGate()), p.gateWord(want)))
}

// early tells what holds a medium that is in at power-on, before the agent's own disk is there.
func (p patient) early() finding {
	name := p.say("起動時の関門", "gate at power-on")
	switch enforce.NewGate(enforce.Options{Root: p.root, Log: zerolog.Nop(), Now: time.Now}).Early() {
	case enforce.EarlyHeld:
		return finding{name, checkPass, p.say("initramfs に入っています", "it is in the initramfs"), ""}
	case enforce.EarlyStale:
		return finding{name, checkFail, p.say("initramfs がまだ作り直されていません", "the initramfs is not renewed yet"), p.say(
			"数分待ってください。続くなら `journalctl -u sekisho-initramfs -u sekisho-dracut` を見てください",
			"wait some minutes; if it stays, look at `journalctl -u sekisho-initramfs -u sekisho-dracut`")}
	case enforce.EarlyLate:
		return finding{name, checkPass, p.say("この端末は USB から起動するため、関門は initramfs のあとで閉じます",
			"this terminal starts from USB, so the gate is shut after the initramfs"), ""}
	}
	return finding{name, checkPass, p.say("関門は開いています", "the gate is open"), ""}
}

// gateWord is a gate's state; what follows "failed" is a raw fact.
func (p patient) gateWord(state string) string {
	word, rest, more := strings.Cut(state, ":")
	if more {
		return p.words.say("gate "+word) + ":" + rest
	}
	if text, ok := p.words.words["gate "+word]; ok {
		return text
	}
	return state
}

func (p patient) desktop() finding {
	name := p.say("利用者への表示", "desktop")
	t := local.Teller{Root: p.root, Log: zerolog.Nop()}
	if err := t.Ready(); err != nil {
		return broken(name, err, p.say("利用者の画面には表示されません。ジャーナルとコンソールには残ります", "users are told by the journal and the console only"))
	}
	return finding{name, checkPass, fmt.Sprintf(p.say("表示できるログオンは %d件です", "%d sessions can be told"), t.Sessions()), ""}
}

func (p patient) console() finding {
	name, l := p.words.console, p.answer.Link
	switch {
	case p.answerErr != nil:
		return unknown(name, p.words.unreachable(p.answerErr), p.startAgent())
	case l.Server == "":
		return finding{name, checkFail, p.words.noConsole, "`sekisho-agent install --server … --fingerprint … --token …`"}
	case l.Error != "":
		return finding{name, checkFail, p.words.broken + oneLine(l.Error), p.say("アドレスとネットワークとコンソールを確かめてください", "check address, network and the console itself")}
	}
	return judged(name, !l.Contact.IsZero() && p.now.Sub(l.Contact) < contactOK, p.words.link(l), p.say("ネットワークを確かめてください", "check the network"))
}

func (p patient) certificate() finding {
	name, again := p.say("電子証明書", "certificate"), p.say("導入をやり直してください", "enrol this terminal again")+": `sekisho-agent enroll --again --token …`"
	id, err := link.Load(p.config.State)
	switch {
	case notEnrolled(err):
		return finding{name, checkFail, p.say("導入されていません", "not enrolled"), "`sekisho-agent enroll --token …`"}
	case errors.Is(err, os.ErrPermission):
		return unknown(name, err, p.asRoot())
	case err != nil:
		return broken(name, err, again)
	}
	cert, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		return broken(name, err, again)
	}
	inside := p.now.After(cert.NotBefore) && p.now.Before(cert.NotAfter)
	return judged(name, inside, fmt.Sprintf(p.say("端末 %s、%s まで", "terminal %s, until %s"), id.Terminal, cert.NotAfter.Local().Format(time.DateOnly)),
		p.say("先に時計を確かめてください。", "check the clock first; ")+again)
}

func (p patient) clock() finding {
	name := p.say("時計", "clock")
	if p.answerErr != nil {
		return unknown(name, p.words.unreachable(p.answerErr), p.startAgent())
	}
	if p.answer.Link.Contact.IsZero() {
		return finding{name, checkUnknown, p.say("エージェントが始まってから、コンソールの時刻を聞いていません", "the console was not heard since the agent started"),
			p.say("コンソールと通信させてください", "reach the console")}
	}
	offset := p.now.Sub(p.answer.Status.At).Round(time.Second)
	return judged(name, offset.Abs() < clockWell, fmt.Sprintf(p.say("コンソールとの差は %s です", "%s against the console"), offset),
		p.say("時計を合わせてください。それまで許可はコンソールの時刻に従います", "set the clock; permissions go by the console's time meanwhile"))
}

func (p patient) queue() finding {
	name := p.words.unsent
	if p.answerErr != nil {
		return unknown(name, p.words.unreachable(p.answerErr), p.startAgent())
	}
	n := p.answer.Status.Unsent
	return judged(name, n < queueWell, fmt.Sprintf(p.say("%d件がコンソールを待っています", "%d wait for the console"), n),
		p.say("コンソールと通信させてください。いっぱいになると古いものから捨て、そのことを記録します", "reach the console; the oldest are given up when the journal is full, and that is recorded"))
}

func (p patient) space() finding {
	name, dir := p.say("ディスクの空き", "disk space"), p.config.State
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Dir(dir)
	}
	free, err := freeSpace(dir)
	if err != nil {
		return unknown(name, err, p.asRoot())
	}
	return judged(name, free >= spaceWell, fmt.Sprintf(p.say("%d MiB (%s)", "%d MiB free for %s"), free>>20, p.config.State),
		p.say("空きを作ってください。ないあいだ、記録は記憶の中だけに残ります", "make room: without it records are kept in memory only"))
}
