package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sekisho/console/store"
	"sekisho/internal/policy"
)

// answers is what a new console has to be told; what is empty stays as it is.
type answers struct {
	names   []string // the first one is shown in links
	contact policy.Contact
}

// setupFlags are answers given on the command line.
type setupFlags struct {
	answers
	yes  bool // nothing is asked
	lang string
}

func addSetupFlags(set *flag.FlagSet, getenv func(string) string) {
	set.String("name", "", "`names` and addresses under which terminals and people reach this console, the main one first")
	set.String("contact", "", "whom users are told to `call`")
	set.String("phone", "", "that contact's telephone `number`")
	set.Bool("yes", false, "ask nothing: what is not given gets its default")
	set.String("lang", language(getenv), "`language` of the questions: ja or en")
}

// language is Japanese unless the environment asks for English.
func language(getenv func(string) string) string {
	l := cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"))
	if strings.HasPrefix(l, "en") {
		return "en"
	}
	return "ja"
}

func readSetupFlags(set *flag.FlagSet) (f setupFlags, err error) {
	get := func(name string) string { return set.Lookup(name).Value.String() }
	f.yes, f.lang = get("yes") == "true", get("lang")
	f.contact = policy.Contact{Name: strings.TrimSpace(get("contact")), Phone: strings.TrimSpace(get("phone"))}
	if name := get("name"); name != "" {
		if f.names, err = readNames(name); err != nil {
			return f, hint(fmt.Errorf("cannot set up: %w", err), "write --name sekisho.example.lan, without https:// and port")
		}
	}
	if wrong := contactProblem(f.contact); wrong.JA != "" {
		return f, fmt.Errorf("cannot set up: the contact is not usable: %s", wrong.EN)
	}
	if f.lang != "ja" && f.lang != "en" {
		return f, fmt.Errorf("cannot set up in language %q: it is ja or en", f.lang)
	}
	return f, nil
}

// contactProblem asks the policy, which will hold it, what is wrong.
func contactProblem(c policy.Contact) policy.Text {
	p := policy.Builtin(policy.ModeAudit)
	p.Contact = c
	for _, wrong := range p.Validate() {
		if strings.HasPrefix(wrong.Path, "contact.") {
			return wrong.Text
		}
	}
	return policy.Text{}
}

// setup: flags → folder → questions → console.yaml and first policy → link.
func setup(ctx context.Context, c call) error {
	f, err := readSetupFlags(c.flags)
	if err != nil {
		return err
	}
	as, err := asOwner(c.state, c.etc)
	if err != nil {
		return err
	}
	h, err := openAll(ctx, c)
	if err != nil {
		return err
	}
	defer h.Close()
	if has, err := h.db.HasAdmin(ctx); err != nil {
		return err
	} else if has {
		return hint(errors.New("cannot set up: an administrator exists"), "sign in at "+h.peopleURL())
	}
	done, err := h.settle(ctx, c, f, as)
	if err != nil {
		return err
	}
	link, err := h.newSetupLink(ctx, time.Now())
	if err != nil {
		return err
	}
	if !c.person {
		fmt.Fprintf(c.out, "%s\n  valid for one hour, once\n", link)
		return nil
	}
	setupWordsOf(f.lang).next(c.out, h, done, link)
	return nil
}

// settle finds out what is not known yet and keeps it. It gives what was written, for people.
func (h *house) settle(ctx context.Context, c call, f setupFlags, as guise) (done []string, err error) {
	named, err := decided(h.state)
	if err != nil {
		return nil, err
	}
	if named && len(f.names) > 0 && f.names[0] != h.config.Names[0] {
		return nil, hint(fmt.Errorf("cannot change the name: console.yaml has %s", strings.Join(h.config.Names, ", ")),
			"change names: there, and restart the console")
	}
	first, err := h.db.GroupPolicy(ctx, firstGroup, 0)
	if err != nil {
		return nil, err
	}
	a := f.answers
	ask := c.person && !f.yes
	if !named && ask || len(a.names) > 0 && !named {
		if err := h.mayWrite(as); err != nil {
			return nil, err
		}
	}
	if ask {
		q := interview{in: c.in, out: c.out, words: setupWordsOf(f.lang), lookUp: lookUp}
		if a, err = q.hold(ctx, a, !named, first.Contact == policy.Contact{}); err != nil {
			return nil, err
		}
	}
	if f.yes && len(a.names) == 0 {
		a.names = ownNames()
	}
	return h.keep(ctx, a, named, first, as)
}

// mayWrite says early that an answer could not be kept.
func (h *house) mayWrite(as guise) error {
	path, err := configFile(h.state)
	if err != nil {
		return err
	}
	if err := as.write(path, func() error { return writable(filepath.Dir(path)) }); err != nil {
		return hint(fmt.Errorf("cannot write %s: %w", path, err), "run it as who may write there: sudo sekisho-console setup")
	}
	return nil
}

// keep writes what was answered, and nothing over what is there.
func (h *house) keep(ctx context.Context, a answers, named bool, first store.GroupPolicy, as guise) (done []string, err error) {
	if !named && len(a.names) > 0 {
		path, err := h.keepNames(withOwn(a.names), as)
		if err != nil {
			return nil, err
		}
		done = append(done, path)
	}
	if a.contact == (policy.Contact{}) || a.contact == first.Contact {
		return done, nil
	}
	if first.Contact != (policy.Contact{}) {
		return nil, hint(fmt.Errorf("cannot change the contact: users are told %s %s", first.Contact.Name, first.Contact.Phone), "change it on the page of the policy")
	}
	first.Contact, first.By, first.Reason = a.contact, "setup", "初期設定"
	if _, err := h.db.PutGroupPolicy(ctx, first, first.Version, time.Now()); err != nil {
		return nil, err
	}
	return append(done, strings.TrimSpace("「既定」 "+a.contact.Name+" "+a.contact.Phone)), nil
}

// withOwn adds what this machine calls itself, so that the certificate is good for these names too.
func withOwn(names []string) []string {
	all := slices.Clone(names)
	for _, n := range ownNames() {
		if !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// person says whether somebody sits at both ends.
func person(in, out any) bool {
	_, isFile := in.(*os.File)
	return isFile && isTerminal(in) && isTerminal(out)
}
