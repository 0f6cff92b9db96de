package hivefile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/osexec"
)

// Words of the child's command line: `sekisho-agent hive FOLDER FILE KEY VALUE...`.
const ChildWord = "hive"

// Limits of the child. Its memory holds a hive, its two logs and what is written of them.
const (
	childTime   = 20 * time.Second
	childMemory = 384 << 20
	maxAnswer   = 16 << 20 // bytes that it may write
)

// Ask has the question answered by a child: to open a file of somebody else's may take for ever, and the file may be made to
// take all there is of memory. With the child end its handles.
func Ask(ctx context.Context, q Question) Answer {
	out := limited{}
	o := osexec.Options{Timeout: childTime, Memory: childMemory, Stdout: &out}
	_, err := osexec.Self(ctx, o, append([]string{ChildWord, q.Folder, q.File, q.Key}, q.Values...)...)
	if err != nil {
		return Answer{Code: Failed, Fault: err.Error()}
	}
	var a Answer
	if err := json.Unmarshal(out.kept.Bytes(), &a); err != nil {
		return Answer{Code: Failed, Fault: "what was read of it cannot be understood: " + err.Error()}
	}
	return a
}

// limited takes what a child writes, up to a bound.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.kept.Len()+len(p) > maxAnswer {
		return 0, errors.New("the answer is too long")
	}
	return l.kept.Write(p)
}

// Reply is what the child does.
func Reply(out io.Writer, words []string) error {
	if len(words) < 3 {
		return errors.New("cannot read a hive: no folder, file and key are named")
	}
	return json.NewEncoder(out).Encode(Read(Question{Folder: words[0], File: words[1], Key: words[2], Values: words[3:]}))
}

// Read answers the question here.
func Read(q Question) Answer {
	f, err := load(q.Folder, q.File)
	if err != nil {
		return failed(err)
	}
	return read(q, f)
}

// load takes copies of the hive and, where it was not written to its end, of its logs.
func load(folder, file string) (f files, err error) {
	if f.hive, err = snapshot(folder, file, MaxFile); err != nil {
		return f, err
	}
	if b, err := parseBase(f.hive); err != nil || !b.dirty() {
		return f, nil // what is wrong with it is said by who reads it
	}
	for name, log := range map[string]*[]byte{log1: &f.log1, log2: &f.log2} {
		if *log, err = snapshot(folder, file+name, maxLog); err != nil && !is(err, Missing) {
			return f, err
		}
	}
	return f, nil
}

// The logs beside a hive.
const (
	log1 = ".LOG1"
	log2 = ".LOG2"
)

func is(err error, code string) bool {
	var t *trouble
	return errors.As(err, &t) && t.code == code
}

// Mark is another when a hive or a log of it was written to. Nothing is opened for it that would keep anybody from the files.
func Mark(folder, file string) (mark string, changed time.Time, err error) {
	if err := straight(folder, file); err != nil {
		return "", changed, err
	}
	for _, name := range []string{file, file + log1, file + log2} {
		info, err := os.Lstat(filepath.Join(folder, name))
		if err != nil && name == file {
			return "", changed, err
		}
		if err != nil {
			mark += "-;"
			continue
		}
		mark += strconv.FormatInt(info.Size(), 10) + " " + strconv.FormatInt(info.ModTime().UnixNano(), 10) + ";"
		if info.ModTime().After(changed) {
			changed = info.ModTime()
		}
	}
	return mark, changed, nil
}

// straight says whether the way from the profile to the file leads through plain folders: a link that the person put there may
// lead to another machine, which then learns who asks, or does not answer.
func straight(folder, file string) error {
	parts := strings.Split(file, `\`)
	for n := 1; n < len(parts); n++ {
		info, err := os.Lstat(filepath.Join(folder, filepath.Join(parts[:n]...)))
		if err != nil {
			return err
		}
		if !info.IsDir() || info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 { // Go's word for a junction
			return errElsewhere
		}
	}
	return nil
}
