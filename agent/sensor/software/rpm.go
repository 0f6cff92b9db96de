package software

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// rpmFormat asks for one line a package (https://rpm-software-management.github.io/rpm/man/rpm-queryformat.7): words are between
// unit separators, which no tag may hold that rpm prints as one line; %{…:pgpsig} is the signature in its header.
const rpmFormat = "%{NAME}\x1f%{EPOCHNUM}\x1f%{VERSION}\x1f%{RELEASE}\x1f%{ARCH}\x1f%{VENDOR}\x1f%{INSTALLTIME}\x1f%{SIZE}\x1f%{SIGPGP:pgpsig}%{RSAHEADER:pgpsig}\x1f%{SUMMARY}\x1e"

const rpmFields = 10

// keyPackage is what rpm calls the keys that somebody has told it to trust; they are no programs.
const keyPackage = "gpg-pubkey"

// rpms reads what rpm printed. Only when it ended without a complaint (ran is nil) is what is missing gone.
func rpms(out io.Reader, ran func() error) reading {
	var r reading
	var lines [][]string
	keys, bad := map[string]string{}, 0
	in := bufio.NewScanner(out)
	in.Buffer(make([]byte, 0, 4096), 256<<10)
	in.Split(records)
	for in.Scan() && len(lines) < maxPrograms {
		f := strings.Split(in.Text(), "\x1f")
		switch {
		case len(f) != rpmFields || f[0] == "" || f[2] == "":
			bad++
		case f[0] == keyPackage:
			keys[strings.ToLower(f[2])] = f[9] // its version is the end of the key's id, its summary whose it is
		default:
			lines = append(lines, f)
		}
	}
	for _, f := range lines {
		r.programs = append(r.programs, rpm(f, keys))
	}
	if err := errors.Join(in.Err(), ran()); err != nil {
		r.torn, r.fault = true, "cannot read rpm's database: "+err.Error()
	} else if bad > 0 {
		r.torn, r.fault = true, fmt.Sprintf("cannot read all of rpm's database: %d entries are damaged", bad)
	}
	return r
}

// records splits at record separators; what follows the last one is half an entry.
func records(data []byte, atEnd bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, 0x1e); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEnd && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func rpm(f []string, keys map[string]string) policy.Program {
	var c cleaner
	version := f[2] + "-" + f[3]
	if f[1] != "0" && f[1] != "(none)" && f[1] != "" {
		version = f[1] + ":" + version
	}
	p := policy.Program{
		ID: ident("rpm", f[0], f[4]), Kind: policy.ProgramRPM, Name: c.word(f[0]), Version: c.word(version), Arch: c.word(f[4]),
		Publisher: c.word(strings.TrimSuffix(f[5], "(none)")), Source: policy.SourceUnknown,
	}
	if at, err := strconv.ParseInt(f[6], 10, 64); err == nil && at > 0 && at < 1<<40 {
		p.InstalledAt = time.Unix(at, 0).UTC()
	}
	if size, err := strconv.ParseInt(f[7], 10, 64); err == nil && size > 0 {
		p.Size = size
	}
	if id := keyIn(f[8]); id != "" {
		if whose, trusted := keys[id]; trusted {
			p.Source, p.Origin = policy.SourceRepository, c.word("key "+id+" "+whose)
		}
	}
	p.Unclean = c.unclean
	return p
}

// keyIn is the end of the id of the key that signed: "RSA/SHA256, Mon 01 Jan 2024 …, Key ID 702d426d350d275d".
func keyIn(signature string) string {
	_, id, ok := strings.Cut(signature, "Key ID ")
	if !ok || len(id) < 16 {
		return ""
	}
	return strings.ToLower(id[8:16])
}

// twoOfOne keeps apart packages that are there in two versions, as kernels are: their id alone would be the same.
func twoOfOne(programs []policy.Program) {
	count := map[string]int{}
	for _, p := range programs {
		count[p.ID]++
	}
	for i := range programs {
		if p := &programs[i]; count[p.ID] > 1 {
			p.ID = ident("rpm", p.Name, p.Arch, p.Version)
		}
	}
}
