package execgate

import (
	"context"
	"path"

	"golang.org/x/sys/unix"

	"sekisho/internal/policy"
)

// verdict is what comes of a question.
type verdict struct {
	deny  bool
	trust uint64 // which questions about this file the kernel may answer by itself from now on
	last  bool   // also after the file was changed
	seen  *Seen  // what to record; nil: nothing
	again string // look again once it runs: its content must still have this hash
}

const (
	askExec = unix.FAN_OPEN_EXEC_PERM
	askOpen = unix.FAN_OPEN_PERM
)

// judge answers one question. ctx ends when the answer is due.
// relieve calls another worker where this one has to wait for what the gate itself is asked about.
func (g *Gate) judge(ctx context.Context, q question, relieve func()) verdict {
	f, err := statFD(int(q.fd))
	if err != nil || !f.regular() {
		return verdict{}
	}
	c := &asked{Gate: g, ctx: ctx, question: q, facts: f, by: process(q.pid), path: pathOf(q.fd), relieve: relieve}
	c.foreign = g.foreign(f.dev)
	v := c.open
	if q.mask&askExec != 0 {
		v = c.run
	}
	if got := v(); !got.deny || !c.by.untouchable() {
		return got
	}
	return verdict{}
}

// trivial says that there is nothing to judge: no file that can be run; one of root's that a vetted dpkg opens, which open
// would let through whatever it is; or an empty one, as every new file is, that is opened by nobody who would run what is in
// it a moment later.
func (g *Gate) trivial(q question) bool {
	if q.mask&askExec != 0 {
		return false
	}
	f, err := statFD(int(q.fd))
	if err != nil || !f.regular() {
		return true
	}
	if f.private() && g.dpkgOpens(q, f) {
		return true
	}
	if f.size > 0 {
		return false
	}
	exe, err := statPath(process(q.pid).at("exe"))
	_, runs := g.interpreterNames()[key{exe.dev, exe.inode}]
	return err == nil && !runs
}

// asked is one question with what was found out about it.
type asked struct {
	*Gate
	ctx context.Context
	question
	facts
	by      process
	path    string
	foreign bool // the file system is served by somebody who may let us wait
	head    []byte
	looked  bool // whether it is there
	there   bool
	relieve func()
}

// start is how the file begins; of a foreign one nothing is read.
func (c *asked) start() []byte {
	if c.head == nil && !c.foreign {
		c.head = headOf(c.fd)
	}
	return c.head
}

// inPlace says that the file is what stands at its path for everybody else too: not the content of another mount
// namespace, of a file system on top, or of a name that is gone.
func (c *asked) inPlace() bool {
	if !c.looked {
		there, err := statPath(c.path)
		c.looked, c.there = true, err == nil && there.same(c.identity)
	}
	return c.there
}

// run judges a file that is about to be run.
func (c *asked) run() verdict {
	if c.isOwn() {
		return verdict{trust: askExec | askOpen}
	}
	p, d, ok := c.packaged()
	if ok && !denies(d) {
		v := c.say(*p, d, "")
		v.trust = askExec | askOpen
		return v
	}
	if c.inTransaction() { // the scripts of a forbidden package too: it could not be removed
		return verdict{}
	}
	if c.caughtUp() { // what is forbidden in one version may be permitted in the next
		p, d, ok = c.packaged()
	}
	if ok {
		return c.say(*p, d, "")
	}
	return c.lone(kindOf(c.start()), "")
}

// caughtUp reads the package database again when it has changed since: a service that a package's script has just had
// started is in no list yet. Only for what root put where only root can.
func (c *asked) caughtUp() bool {
	if !c.private() || !c.index().outdated(c.Root) || !c.inPlace() || !privatePlace(c.path) {
		return false
	}
	c.relieve() // to read the lists takes answers of the gate
	c.looked = false
	return c.Refresh(c.ctx) == nil
}

// packaged finds the package that answers for the file. A package that is permitted answers before one that is not.
func (c *asked) packaged() (found *policy.Program, d policy.Decision, ok bool) {
	if !c.private() {
		return nil, d, false
	}
	owners := c.index().owners(c.path)
	if len(owners) == 0 || !c.inPlace() {
		return nil, d, false
	}
	for i := range owners {
		if found, d = &owners[i], c.decide(owners[i]); !denies(d) {
			break
		}
	}
	return found, d, true
}

// open judges a file that is read: by a dynamic loader, by an interpreter, or by somebody whom it is only data to.
func (c *asked) open() verdict {
	if c.private() && c.inPlace() && privatePlace(c.path) {
		return c.openPrivate()
	}
	head := c.start()
	if isELF(head) {
		return c.openBinary()
	}
	return c.openText()
}

// openPrivate: what only root can change. A package that is forbidden is not run through a loader or an interpreter
// either, nor is a binary that root put beside the packages.
func (c *asked) openPrivate() verdict {
	p, d, ok := c.packaged()
	switch {
	case ok && !denies(d):
		return verdict{trust: askOpen}
	case ok && (isELF(c.start()) || looksLikeScript(c.path, c.start())):
		if writing, loading := c.by.opening(); !writing && (loading || c.interpreted()) && !c.inTransaction() {
			return c.say(*p, d, c.by.program())
		}
		return verdict{}
	case isELF(c.start()):
		if writing, loading := c.by.opening(); !writing && loading && isLoader(c.by.program()) && !c.isOwn() && !c.inTransaction() {
			return c.lone(kindOf(c.start()), c.by.program())
		}
		return verdict{}
	}
	return verdict{trust: askOpen, last: true}
}

// openBinary: a program or library that somebody brought, and that is not run by itself: `ld.so prog`, LD_PRELOAD.
// Copying or scanning one is nobody's business.
func (c *asked) openBinary() verdict {
	if writing, loading := c.by.opening(); writing || !loading {
		return verdict{}
	}
	if c.inTransaction() {
		return verdict{}
	}
	return c.lone(kindOf(c.start()), c.by.program())
}

// openText: text that an interpreter is given.
func (c *asked) openText() verdict {
	if !c.interpreted() || c.isScriptlet() {
		return verdict{}
	}
	if writing, _ := c.by.opening(); writing {
		return verdict{}
	}
	if c.inTransaction() {
		return verdict{}
	}
	return c.lone(policy.ProgramScript, c.by.program())
}

// interpreted says whether the process is an interpreter to which this file is a program: the script of its command line,
// or a file that says so itself.
func (c *asked) interpreted() bool {
	exe, err := statPath(c.by.at("exe"))
	if err != nil {
		return false
	}
	in, ok := c.interpreter(exe, c.by)
	if !ok {
		return false
	}
	if looksLikeScript(c.path, c.start()) {
		return true
	}
	for _, word := range in.scriptArguments(c.by.args()) {
		if word == "" {
			continue
		}
		if f, err := c.by.file(word); err == nil && f.same(c.identity) {
			return true
		}
	}
	return false
}

// lone judges a file that no package answers for.
func (c *asked) lone(kind policy.ProgramKind, command string) verdict {
	hash, note := "", ""
	if !c.foreign {
		var err error
		if hash, err = c.hash(c.ctx, c.fd, c.identity); err != nil {
			note = err.Error()
		}
	}
	p := loneProgram(kind, c.path, hash, c.size)
	p.Fault = note
	v := c.say(p, c.decide(p), command)
	if !v.deny && !c.index().looks && kind != policy.ProgramScript && command == "" && hash != "" && !(c.private() && privatePlace(c.path)) {
		v.again = hash
	}
	return v
}

// say makes a verdict of a decision.
func (c *asked) say(p policy.Program, d policy.Decision, command string) verdict {
	o, tell := Outcome(d)
	v := verdict{deny: denies(d)}
	if tell {
		v.seen = &Seen{Program: p, Decision: d, Outcome: o, UID: c.by.uid(), Command: command, Parent: c.by.program()}
	}
	return v
}

func denies(d policy.Decision) bool { return d.Do() == policy.ActionBlock }

// isOwn says whether the file is the agent's own program or one that stops and starts it.
func (c *asked) isOwn() bool {
	if !c.private() {
		return false
	}
	for _, own := range c.Own {
		if c.path == own && c.inPlace() {
			return true
		}
	}
	return false
}

// interpreter finds out whether a program is one that runs text. It is known by its file, not by the name that somebody
// gave a link to it.
func (g *Gate) interpreter(exe facts, p process) (interpreter, bool) {
	name := path.Base(p.program())
	if known, ok := g.interpreterNames()[key{exe.dev, exe.inode}]; ok {
		name = known
	}
	return interpreterOf(name)
}
