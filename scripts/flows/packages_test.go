//go:build lab && linux

package flows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/console/store"
	"sekisho/internal/policy"
	"sekisho/scripts/debs"
)

// program makes a package whose program says that it was reached.
func packageOf(name, version string) debs.Package {
	return debs.Package{Name: name, Version: version, Files: map[string]string{"/usr/bin/" + name: "#!/bin/sh\necho REACHED " + version + "\n"},
		Scripts: map[string]string{"postinst": "#!/bin/sh\nset -e\n/usr/bin/" + name + " >/dev/null\n"}}
}

// bring puts files of this machine into a folder of the terminal.
func (s *scene) bring(from, to string) {
	s.Helper()
	tar := filepath.Join(s.TempDir(), "files.tar")
	must(s.T, exec.CommandContext(s.T.Context(), "tar", "-C", from, "-cf", tar, ".").Run())
	must(s.T, s.machine.Put(s.T.Context(), tar, "/root/files.tar"))
	s.run("mkdir -p " + to + " && tar -C " + to + " --no-same-owner -xf /root/files.tar && rm /root/files.tar && chmod -R a+rX " + to)
}

// repositories gives the terminal a signed repository, one that is not and is believed all the same, and loose files.
func (s *scene) repositories(signed, unsigned, loose []debs.Package) {
	s.Helper()
	key, err := debs.NewKey()
	must(s.T, err)
	public, err := key.Public()
	must(s.T, err)
	dir := s.TempDir()
	must(s.T, debs.Repository(filepath.Join(dir, "signed"), key, signed...))
	must(s.T, debs.Repository(filepath.Join(dir, "unsigned"), nil, unsigned...))
	must(s.T, os.Mkdir(filepath.Join(dir, "loose"), 0o755))
	for _, p := range loose {
		_, err := p.Write(filepath.Join(dir, "loose"))
		must(s.T, err)
	}
	must(s.T, os.WriteFile(filepath.Join(dir, "lab.gpg"), public, 0o644))
	s.bring(dir, "/srv/lab")
	s.run(`cp /srv/lab/lab.gpg /etc/apt/trusted.gpg.d/lab.gpg; rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb file:/srv/lab/signed ./' >/etc/apt/sources.list; echo 'deb [trusted=yes] file:/srv/lab/unsigned ./' >>/etc/apt/sources.list; apt-get -q update`)
}

// fails runs a command that must be refused, and gives what it says.
func (s *scene) fails(command string) string {
	s.Helper()
	out, err := s.machine.Run(s.T.Context(), command+" 2>&1; test $? -ne 0")
	if err != nil {
		s.Fatalf("%s: it succeeded: %s", command, out)
	}
	return out
}

func TestAPackageThatNobodyPermittedIsNotUnpacked(t *testing.T) {
	s := newScene(t)
	s.repositories([]debs.Package{packageOf("good", "1.0"), packageOf("games", "1.0")}, []debs.Package{packageOf("odd", "1.0")},
		[]debs.Package{packageOf("loose", "1.0"), packageOf("good", "9.9"), packageOf("wanted", "1.0")})
	s.control(func(p *policy.Software) {
		p.Rules = append([]policy.ProgramRule{
			{ID: "no-games", Name: policy.Text{JA: "遊戯の禁止", EN: "no games"}, Action: policy.ActionBlock, Match: policy.ProgramMatch{Name: []string{"games*"}}},
			{ID: "repository", Name: policy.Text{JA: "配布元", EN: "repository"}, Action: policy.ActionAllow, Match: policy.ProgramMatch{Source: []string{policy.SourceRepository}}},
		}, p.Rules...)
	})
	for about, command := range map[string]string{
		"forbidden, from the signed repository":     "DEBIAN_FRONTEND=noninteractive apt-get -qy install games",
		"from a repository without a signature":     "DEBIAN_FRONTEND=noninteractive apt-get -qy install odd",
		"a folder":                                  "dpkg -iR /srv/lab/loose",
		"a file that somebody put into apt's cache": "cp /srv/lab/loose/good_9.9_amd64.deb /var/cache/apt/archives/ && dpkg -i /var/cache/apt/archives/good_9.9_amd64.deb",
	} {
		if out := s.fails(command); !strings.Contains(out, "Sekisho: パッケージ") || !strings.Contains(out, "要求番号: ") {
			t.Errorf("%s: the refusal does not explain itself: %s", about, out)
		}
	}
	if out := s.run("ls /usr/bin | grep -x -e games -e odd -e loose -e good || true; ls /var/lib/dpkg/info | grep -e ^games -e ^odd -e ^loose -e ^good || true"); out != "" {
		t.Errorf("something was unpacked: %s", out)
	}
	row := s.row("loose is refused", func(e store.Event) bool {
		p := e.Record.Software
		return p != nil && p.What == policy.ProgramWanted && p.Program.Name == "loose" && e.Record.Outcome == policy.OutcomeBlocked
	})
	if p := row.Record.Software.Program; p.Source != policy.SourceLocal || p.Version != "1.0" || p.Hash == "" || row.Record.Request == "" || row.Record.Software.Command == "" {
		t.Errorf("the record does not say what it was: %+v, number %q", row.Record.Software, row.Record.Request)
	}
	s.run("DEBIAN_FRONTEND=noninteractive apt-get -qy install good") // its postinst runs what it has just brought
	s.ran("what was installed counts at once", "good")
	s.run("dpkg -r good && dpkg --configure -a")
	s.run("systemctl stop sekisho-agent")
	if out := s.run("dpkg -i /srv/lab/loose/wanted_1.0_amd64.deb 2>&1"); !strings.Contains(out, "Sekisho: ") {
		t.Errorf("an agent that is away is passed in silence: %s", out)
	}
	s.run("systemctl start sekisho-agent")
	s.run("sekisho-agent uninstall && ls /etc/apt/apt.conf.d /etc/dpkg/dpkg.cfg.d | grep -c sekisho | grep -x 0; dpkg -i /srv/lab/loose/loose_1.0_amd64.deb")
}
