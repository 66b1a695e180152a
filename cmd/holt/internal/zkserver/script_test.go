package zkserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts runs the scripts of testdata. Their commands:
//
//	file NAME                 the input becomes a file
//	answer [ADDR [FLAG...]]   what the server at ADDR answers to srvr, by TLS with
//	                          flags; without input none is there
//	run [NAME=VALUE] ARGS     zkServer.sh with variables and arguments
//	initialize ARGS           zkServer-initialize.sh
//	servers                   how many run
//	ls DIR                    the files below a directory
//	cat PATTERN               the file of that name
//
// Words of the line are separated by blanks. DIR stands for the directory of the
// script and N for a pid. The server is a shell script that writes its arguments
// and some variables down and stays, or ends at once if its file says no.
//
// The texts were compared with those of zkServer.sh 3.9.4.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return w.handle(t, d)
		})
	})
}

type world struct {
	dir     string
	answers map[string]string
}

const fakeServer = `#!/bin/sh
echo "$@ JVMFLAGS=$JVMFLAGS"
for cfg; do :; done
grep -q loud "$cfg" && seq 1 20
grep -q no "$cfg" && echo "it says no" && exit 1
exec sleep 60
`

func newWorld(t *testing.T) *world {
	w := &world{dir: t.TempDir(), answers: map[string]string{}}
	for _, dir := range []string{"bin", "conf", "bad"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, "bin", "holt"), []byte(fakeServer), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

var (
	dirWord = regexp.MustCompile(`\bDIR\b`)
	anyPID  = regexp.MustCompile(`process \d+|\(\d{2,}\)`)
	anyHost = regexp.MustCompile(`server-[^ ]*\.out`)
)

func (w *world) handle(t *testing.T, d *datadriven.TestData) string {
	var words []string
	for _, arg := range d.CmdArgs {
		words = append(words, dirWord.ReplaceAllString(arg.String(), w.dir))
	}
	switch d.Cmd {
	case "file":
		if err := os.WriteFile(filepath.Join(w.dir, words[0]), []byte(dirWord.ReplaceAllString(d.Input, w.dir)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return ""
	case "answer":
		w.answers = map[string]string{}
		if d.Input != "" {
			w.answers[strings.Join(words, " ")] = d.Input
		}
		return ""
	case "run", "initialize":
		return w.run(d.Cmd, words)
	case "servers":
		return fmt.Sprintln(children(t))
	case "ls":
		return w.list(words[0])
	case "cat":
		names, err := filepath.Glob(words[0])
		if err != nil || len(names) != 1 {
			d.Fatalf(t, "%v %v", names, err)
		}
		text, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		return w.clean(string(text))
	}
	d.Fatalf(t, "unknown command")
	return ""
}

func (w *world) run(command string, words []string) string {
	environ := []string{"PATH=" + os.Getenv("PATH"), "USER=me"}
	for len(words) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(words[0]) {
		environ, words = append(environ, words[0]), words[1:]
	}
	var out bytes.Buffer
	s := &Script{
		Name: "zkServer.sh", BinDir: filepath.Join(w.dir, "bin"), Executable: filepath.Join(w.dir, "bin", "holt"),
		Environ: environ, Version: "1.0", Stdout: &out, Stderr: &out,
		Serve: func(args, environ []string) int {
			fmt.Fprintf(&out, "serves: %s\n", args)
			for _, variable := range environ {
				if strings.HasPrefix(variable, "JVMFLAGS=") {
					fmt.Fprintln(&out, variable)
				}
			}
			return 3
		},
		Check: func(args, _ []string, report io.Writer) int {
			text, err := os.ReadFile(args[len(args)-1])
			if err != nil {
				fmt.Fprintln(report, err)
				return 2
			}
			if strings.Contains(string(text), "no") {
				fmt.Fprintln(report, "it says no")
				return 2
			}
			return 0
		},
		Ask: func(addr, word string, flags []string) (string, error) {
			if flags != nil {
				addr += " " + strings.Join(flags, " ")
			}
			answer, ok := w.answers[addr]
			if !ok || word != "srvr" {
				return "", errors.New("connection refused")
			}
			return answer, nil
		},
	}
	code := 0
	if command == "run" {
		code = s.Run(words)
	} else {
		code = s.Initialize(words)
	}
	fmt.Fprintf(&out, "exit code %d\n", code)
	return w.clean(out.String())
}

// children counts the processes that this one started and that run.
func children(t *testing.T) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	n, child := 0, regexp.MustCompile(fmt.Sprintf(`\) [^Z] %d `, os.Getpid()))
	for _, path := range stats {
		if stat, err := os.ReadFile(path); err == nil && child.Match(stat) {
			n++
		}
	}
	return n
}

func (w *world) clean(text string) string {
	text = strings.ReplaceAll(text, w.dir, "DIR")
	text = anyHost.ReplaceAllString(text, "server-HOST.out")
	return anyPID.ReplaceAllStringFunc(text, func(s string) string { return regexp.MustCompile(`\d+`).ReplaceAllString(s, "N") })
}

func (w *world) list(dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			path += "/"
		}
		fmt.Fprintln(&b, w.clean(path))
		return nil
	})
	if err != nil {
		fmt.Fprintln(&b, w.clean(err.Error()))
	}
	return b.String()
}
