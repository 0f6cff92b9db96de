package execgate

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// interpreter says how a program that runs other people's text finds it: which of its options take a value of their own,
// and which mean that the text stands in the command line.
type interpreter struct {
	values string   // letters of short options that a word follows
	inline string   // letters after which the program is the next word, not a file
	file   string   // letters after which the program's file is the next word
	long   []string // long options that a file follows
}

// The interpreters, by how their names begin. What a manual page says of options is what counts:
// bash(1), dash(1), python3(1), perlrun(1), ruby(1), node(1), php(1), lua(1), awk(1p), make(1), gdb(1).
var interpreters = map[string]interpreter{
	"sh": {values: "oO", inline: "c", long: []string{"--rcfile", "--init-file"}}, "bash": {values: "oO", inline: "c", long: []string{"--rcfile", "--init-file"}},
	"rbash": {values: "oO", inline: "c"}, "dash": {values: "o", inline: "c"}, "zsh": {values: "o", inline: "c"}, "ksh": {values: "o", inline: "c"}, "mksh": {values: "o", inline: "c"}, "fish": {inline: "c"},
	"busybox": {inline: "c"},
	"python":  {values: "WX", inline: "cm"}, "pypy": {values: "WX", inline: "cm"},
	"perl": {inline: "eE"}, "ruby": {values: "ICEFKTrx", inline: "e"},
	"node": {values: "r", inline: "ep", long: []string{"--require", "--import"}}, "nodejs": {values: "r", inline: "ep"}, "deno": {}, "bun": {},
	"php": {values: "cdz", inline: "rBRE", file: "fF"}, "lua": {values: "l", inline: "e"}, "luajit": {values: "l", inline: "e"},
	"tclsh": {}, "wish": {}, "expect": {inline: "c", file: "f"}, "awk": {values: "Fv", file: "f"}, "mawk": {values: "Fv", file: "f"}, "gawk": {values: "Fv", file: "f"},
	"make": {values: "CIo", file: "f", long: []string{"--file", "--makefile"}}, "gdb": {file: "x", long: []string{"--command", "-command"}},
	"java": {}, "mono": {}, "wine": {}, "guile": {inline: "c"}, "Rscript": {inline: "e"}, "pwsh": {},
	"env": {}, "sed": {inline: "e", file: "f"}, "ed": {}, "vim": {values: "T", file: "Su"},
}

// interpreterOf finds a program among the interpreters by its base name: python3.11 is a python.
func interpreterOf(base string) (interpreter, bool) {
	if i, ok := interpreters[base]; ok {
		return i, true
	}
	name := strings.TrimRight(base, "0123456789.-")
	i, ok := interpreters[name]
	return i, ok && name != ""
}

// scriptArguments gives the words of a command line that may be the file of the program to be run.
func (in interpreter) scriptArguments(args []string) (files []string) {
	for n := 1; n < len(args); n++ {
		arg := args[n]
		switch {
		case arg == "--" || arg == "-":
			return append(files, args[min(n+1, len(args)):min(n+2, len(args))]...)
		case !strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "+"):
			return append(files, arg, in.second(args, n))
		case strings.HasPrefix(arg, "--") || slices.Contains(in.long, arg):
			name, value, given := strings.Cut(arg, "=")
			if given {
				files = append(files, value)
			} else if slices.Contains(in.long, name) && n+1 < len(args) {
				n++
				files = append(files, args[n])
			}
		default:
			letter, value := in.short(arg[1:])
			if strings.ContainsRune(in.inline, letter) {
				return files
			}
			if letter != 0 && value == "" && n+1 < len(args) {
				n++
				value = args[n]
			}
			if strings.ContainsRune(in.file, letter) {
				files = append(files, value)
			}
		}
	}
	return files
}

// second is the word after the first: of an applet (`busybox sh file`) that is the script.
func (in interpreter) second(args []string, n int) string {
	if base := path.Base(args[n]); n+1 < len(args) && path.Base(args[0]) == "busybox" && base == args[n] {
		return args[n+1]
	}
	return ""
}

// short reads a cluster of short options: the first letter that takes a value or ends the options, and the value that is
// glued to it.
func (in interpreter) short(letters string) (letter rune, value string) {
	for i, r := range letters {
		if strings.ContainsRune(in.inline+in.values+in.file, r) {
			return r, letters[i+len(string(r)):]
		}
	}
	return 0, ""
}

// Names that text to be run goes by.
var scriptNames = []string{
	".sh", ".bash", ".zsh", ".ksh", ".py", ".pyc", ".pyw", ".pyz", ".pl", ".pm", ".rb", ".js", ".mjs", ".cjs", ".php", ".phar", ".lua", ".tcl",
	".exp", ".awk", ".mk", ".gdb", ".jar", ".class", ".r", ".ps1", ".scm", ".vim", ".run", ".whl",
}

// looksLikeScript says whether a file says of itself that it is to be run by an interpreter.
func looksLikeScript(name string, head []byte) bool {
	base := strings.ToLower(path.Base(strings.TrimSuffix(name, " (deleted)")))
	return bytes.HasPrefix(head, []byte("#!")) || base == "makefile" || base == "gnumakefile" || slices.Contains(scriptNames, path.Ext(base))
}
