package shell

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/command"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/servertest"
	"holt/cmd/zkcli/internal/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts runs the scripts in testdata, each against a server of its own.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := newScript(t)
		datadriven.RunTest(t, path, s.run)
	})
}

// script is a shell under test, connected to a server in memory.
type script struct {
	server *servertest.Server
	out    *render.Output
	page   transcript
	shell  *Shell
	dir    string
}

func newScript(t *testing.T) *script {
	s := &script{server: servertest.Start(t), dir: t.TempDir()}
	s.out = &render.Output{Out: stream{&s.page, ""}, Err: stream{&s.page, "! "}}
	s.shell = New(Config{
		Env:      command.Env{Out: s.out, Zone: time.UTC, Version: "1.2.3"},
		Commands: command.All(),
		Open: func(servers string, onEvent func(session.Event)) (*session.Session, error) {
			list, chroot, err := session.ParseServers(servers)
			if err != nil {
				return nil, err
			}
			return session.Open(session.Config{Servers: list, Chroot: chroot, Timeout: 10 * time.Second, Dial: s.server.Dial, OnEvent: onEvent}), nil
		},
		FirstWait: 10 * time.Second,
		Help:      "(help)\n",
	})
	t.Cleanup(func() { s.shell.Close(context.Background()) })
	if err := s.shell.Connect(t.Context(), "memory"); err != nil {
		t.Fatal(err)
	}
	if err := s.shell.Session().WaitLinked(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.page.take()
	return s
}

// run is the language of the scripts:
//
//	run [o=json|yaml] [colour]
//	line
//	…
//	    Runs each line as a command of its own. What goes to stderr is marked with "! ",
//	    and an exit code other than 0 is told. DIR stands for a directory for files.
//
//	session
//	line
//	…
//	    Pipes the lines into an interactive session of the same shell.
//
//	complete
//	line
//	…
//	    Shows how each line may go on.
//
//	file name=NAME
//	    Shows a file of DIR.
//
// Times, zxids and ids of sessions are replaced by words.
func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "run":
		s.out.Format, s.out.Colour = render.Text, d.HasArg("colour")
		if d.HasArg("o") {
			var name string
			d.ScanArgs(t, "o", &name)
			s.out.Format = render.Format(name)
		}
		for line := range strings.Lines(s.input(d)) {
			words := cmdline.Split(strings.TrimSuffix(line, "\n"))
			if code := s.shell.Run(t.Context(), words); code != 0 {
				s.page.add("", "exit "+strconv.Itoa(code)+"\n")
			}
		}
	case "session":
		lines := NewPipe(strings.NewReader(s.input(d)), s.out.Prompt)
		code, err := s.shell.Interact(t.Context(), lines)
		if err != nil {
			t.Fatal(err)
		}
		s.page.add("", "\nexit "+strconv.Itoa(code)+"\n")
	case "complete":
		done := s.shell.completer()
		for line := range strings.Lines(s.input(d)) {
			line = strings.TrimSuffix(line, "\n")
			expanded, pos, choices := done.expand(line, len(line))
			s.page.add("", expanded[:pos]+"|"+expanded[pos:]+" "+strings.Join(choices, " ")+"\n")
		}
	case "file":
		var name string
		d.ScanArgs(t, "name", &name)
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		s.page.add("", string(text))
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return s.plain(s.page.take())
}

func (s *script) input(d *datadriven.TestData) string {
	return strings.ReplaceAll(d.Input, "DIR", s.dir) + "\n"
}

var masks = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?m)^([cm]time) = .*$`), "$1 = DATE"},
	{regexp.MustCompile(`0x1000[0-9a-f]{11,}|0x1[0-9a-f]{14}`), "SESSION"},
	{regexp.MustCompile(`0x[0-9a-f]{2,}`), "ZXID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d [0-9:.]+ UTC \([^)]*\)`), "TIME"},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} zxid=ZXID +`), "TIME zxid=ZXID "},
	{regexp.MustCompile(`zxid: \d{2,}`), "zxid: ZXID"},
}

func (s *script) plain(text string) string {
	text = strings.ReplaceAll(text, s.dir, "DIR")
	for _, m := range masks {
		text = m.re.ReplaceAllString(text, m.with)
	}
	return text
}

// transcript is both streams as a person would see them.
type transcript struct{ buf bytes.Buffer }

// add appends text; each of its lines gets the mark.
func (p *transcript) add(mark, text string) {
	for line := range strings.Lines(text) {
		if mark != "" && (p.buf.Len() == 0 || bytes.HasSuffix(p.buf.Bytes(), []byte("\n"))) {
			p.buf.WriteString(mark)
		}
		p.buf.WriteString(line)
	}
}

func (p *transcript) take() string {
	defer p.buf.Reset()
	return p.buf.String()
}

type stream struct {
	page *transcript
	mark string
}

func (s stream) Write(b []byte) (int, error) {
	s.page.add(s.mark, string(b))
	return len(b), nil
}
