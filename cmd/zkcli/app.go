package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"holt/cmd/internal/clientcfg"
	"holt/cmd/zkcli/internal/command"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/cmd/zkcli/internal/shell"
	"holt/wire/client"
)

// exitInvocation is the exit code for a client configuration that cannot be used.
const exitInvocation = 2

// app is one run of the program.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	// script writes a completion script for a shell.
	script   func(shell string) error
	exitCode int
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) *app {
	return &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv}
}

func (a *app) complain(err error) { fmt.Fprintln(a.stderr, err) }

// run does what args say and sets the exit code.
func (a *app) run(ctx context.Context, args []string) {
	o, err := parseOptions(args)
	switch {
	case err != nil:
		a.complain(err)
		a.exitCode = exitInvocation
		return
	case len(o.command) == 2 && o.command[0] == "completion":
		if err := a.script(o.command[1]); err != nil {
			a.complain(err)
			a.exitCode = 1
		}
		return
	}
	if o.missing != "" {
		fmt.Fprintf(a.stderr, "Error: no argument found for option %s\n", o.missing)
	}
	for _, name := range o.unknown {
		fmt.Fprintf(a.stderr, "Warning: option %s is unknown and ignored\n", name)
	}
	out := &render.Output{Out: a.stdout, Err: a.stderr, Format: o.format, Colour: a.colours(&o), Quiet: beyondOriginal(o.command)}
	if !o.help {
		out.Say("Connecting to %s", o.servers)
	}
	timeout, err := strconv.ParseInt(o.timeoutMillis, 10, 32)
	if err != nil || timeout <= 0 {
		out.Complain("option -timeout: %q is no number of milliseconds", o.timeoutMillis)
		a.exitCode = 1
		return
	}
	sh, err := a.shell(&o, time.Duration(timeout)*time.Millisecond, out)
	if err != nil {
		out.Complain("%s", err)
		a.exitCode = exitInvocation
		return
	}
	if o.help {
		a.exitCode = sh.Run(ctx, []string{"help"})
		return
	}
	if err := sh.Connect(ctx, o.servers); err != nil {
		out.Complain("%s", err)
		a.exitCode = 1
		return
	}
	if len(o.command) > 0 {
		a.exitCode = a.runOne(ctx, sh, o.command)
	} else {
		a.exitCode = a.runMany(ctx, sh, out)
	}
	sh.Close(ctx)
	if err := out.Error(); err != nil {
		a.complain(err)
		a.exitCode = max(a.exitCode, 1)
	}
}

// beyondOriginal tells whether the command is one of ours, whose output nobody expects to
// begin with what zkCli.sh says of its connection.
func beyondOriginal(words []string) bool {
	if len(words) == 0 {
		return false
	}
	c := command.All().Find(words[0])
	return c != nil && c.Extra
}

// colours tells whether the output may be coloured: on a terminal, unless somebody objects.
func (a *app) colours(o *options) bool {
	return !o.noColour && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && isTerminal(a.stdout) && isTerminal(a.stderr)
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// shell makes a shell of the options. It is not connected.
func (a *app) shell(o *options, timeout time.Duration, out *render.Output) (*shell.Shell, error) {
	config, err := clientcfg.Load(o.configuration, o.reach, a.getenv("JVMFLAGS"), a.getenv("CLIENT_JVMFLAGS"))
	if err != nil {
		return nil, err
	}
	for _, key := range config.Ignored {
		fmt.Fprintf(a.stderr, "Warning: client property %s is ignored\n", key)
	}
	c := shell.Config{
		Env:      command.Env{Out: out, In: a.stdin, Version: buildVersion()},
		Commands: command.All(),
		Help:     helpText, FirstWait: 300 * time.Millisecond,
		Open: func(servers string, onEvent func(session.Event)) (*session.Session, error) {
			list, chroot, err := session.ParseServers(servers)
			if err != nil {
				return nil, err
			}
			return session.Open(session.Config{
				Servers: list, Chroot: chroot, Timeout: timeout,
				ReadOnly: o.readOnly, Dial: a.dialer(config), Login: a.login(config), OnEvent: onEvent,
			}), nil
		},
	}
	if o.wait {
		c.Wait = func(ctx context.Context, s *session.Session) error {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			if s.WaitLinkedLong(ctx) != nil {
				return errors.New("KeeperErrorCode = ConnectionLoss")
			}
			return nil
		}
	}
	return shell.New(c), nil
}

// dialer makes connections. That the handshake of TLS fails is said, once for each server:
// it will again, while the session tries without end.
func (a *app) dialer(config *clientcfg.Config) func(context.Context, string) (net.Conn, error) {
	var told sync.Map
	tell := func(address string, err error) {
		var failed *clientcfg.HandshakeError
		if errors.As(err, &failed) {
			if _, before := told.LoadOrStore(address, true); !before {
				a.complain(failed)
			}
		}
	}
	return func(ctx context.Context, address string) (net.Conn, error) {
		nc, err := config.Dial(ctx, address)
		switch {
		case err == nil && config.Secure():
			return &toldConn{nc, func(err error) { tell(address, err) }}, nil
		case ctx.Err() == nil:
			tell(address, err)
		}
		return nc, err
	}
}

// toldConn hands on the errors of reading: a refusal of the client's certificate comes that way.
type toldConn struct {
	net.Conn
	tell func(error)
}

func (c *toldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.tell(err)
	}
	return n, err
}

// login logs links in, nil if nobody is to be. That it failed for good is said; the session ends then.
func (a *app) login(config *clientcfg.Config) func(context.Context, string, *client.Conn) error {
	if !config.LogsIn() {
		return nil
	}
	return func(ctx context.Context, address string, conn *client.Conn) error {
		err := config.Login(ctx, address, conn)
		var failed *client.LoginError
		if errors.As(err, &failed) && ctx.Err() == nil {
			a.complain(failed)
		}
		return err
	}
}

// runOne runs the command of the command line. An interrupt ends the command first, and
// the program when it comes again.
func (a *app) runOne(ctx context.Context, sh *shell.Shell, words []string) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop)
	return sh.Run(ctx, words)
}

// runMany runs the lines that are typed or piped in.
func (a *app) runMany(ctx context.Context, sh *shell.Shell, out *render.Output) int {
	lines, err := a.lines(sh, out)
	if err != nil {
		out.Complain("%s", err)
		return 1
	}
	code, err := sh.Interact(ctx, lines)
	if err != nil {
		out.Complain("%s", err)
		return max(code, 1)
	}
	return code
}

// lines returns where lines come from. From a terminal, out is redirected around the
// line being edited.
func (a *app) lines(sh *shell.Shell, out *render.Output) (shell.Lines, error) {
	if !isTerminal(a.stdin) || !isTerminal(a.stdout) || a.getenv("TERM") == "dumb" {
		return shell.NewPipe(a.stdin, out.Prompt), nil
	}
	past, err := shell.OpenPast(a.historyFile())
	if err != nil {
		return nil, err
	}
	t := shell.NewTerminal(sh, a.stdin.(*os.File), a.stdout.(*os.File), past)
	if isTerminal(a.stderr) {
		out.Redirect(t, t)
	} else {
		out.Redirect(t, nil)
	}
	return t, nil
}

// historyFile is where typed lines are kept; "" if there is no place.
func (a *app) historyFile() string {
	if file := a.getenv("ZKCLI_HISTORY"); file != "" {
		return file
	}
	dir := a.getenv("XDG_STATE_HOME")
	if dir == "" {
		home := a.getenv("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "holt", "zkcli_history")
}

// completeArgs completes the words of the program's own command line: commands.
func (a *app) completeArgs(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, c := range command.All() {
		if len(prefix) <= len(c.Name) && c.Name[:len(prefix)] == prefix {
			names = append(names, c.Name+"\t"+c.Help)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// buildVersion is what the command version prints: the release whose command line this is,
// and the build, in the original's form.
func buildVersion() string {
	const like = "3.9.4"
	revision, date := "devel", "an unknown date"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.time":
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
					date = t.UTC().Format("2006-01-02 15:04 MST")
				}
			}
		}
	}
	return fmt.Sprintf("%s-holt-%s, built on %s", like, revision, date)
}
