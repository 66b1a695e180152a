package shell

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/command"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
)

// Config is what a shell needs. All fields but Help are required.
type Config struct {
	// Env is what commands get; its Session and Events are set by the shell.
	Env      command.Env
	Commands command.Set
	// Open makes a session with servers given as a connection string.
	Open func(servers string, onEvent func(session.Event)) (*session.Session, error)
	// Wait, if not nil, waits for the link of a session just opened, as -waitforconnection asks for.
	Wait func(ctx context.Context, s *session.Session) error
	// FirstWait bounds how long the first prompt waits for a server, so that it usually says
	// CONNECTED.
	FirstWait time.Duration
	// Help is shown by the command help, before the list of commands.
	Help string
}

// Shell is a command line and its session.
type Shell struct {
	cfg      Config
	env      *command.Env
	builtins map[string]builtin
	servers  string // as connected to
	// history holds the lines by number; the last is the one being run.
	history     []string
	interactive bool
	quiet       atomic.Bool // events are not printed
	exitCode    int
	done        bool // quit was given
	ephemerals  bool // the session may own ephemeral nodes
}

// New returns a shell that is not connected.
func New(cfg Config) *Shell {
	env := cfg.Env
	env.Events = &command.Events{}
	return &Shell{cfg: cfg, env: &env, builtins: builtins()}
}

// Connect ends the session there is and opens one with other servers.
func (sh *Shell) Connect(ctx context.Context, servers string) error {
	if s := sh.env.Session; s != nil {
		s.Close(ctx)
	}
	s, err := sh.cfg.Open(servers, sh.event)
	if err != nil {
		return err
	}
	sh.servers, sh.env.Session, sh.ephemerals = servers, s, false
	if sh.cfg.Wait != nil {
		if err := sh.cfg.Wait(ctx, s); err != nil {
			s.Close(ctx)
			return err
		}
	}
	return nil
}

// Session returns the present session, nil before Connect.
func (sh *Shell) Session() *session.Session { return sh.env.Session }

// event prints an event, unless a command waits for it or nobody wants to see it.
func (sh *Shell) event(e session.Event) {
	if sh.env.Events.Offer(e) || sh.quiet.Load() {
		return
	}
	sh.env.Out.Say("\nWATCHER::\n\n%s", e)
}

// Close ends the session. One that may own ephemeral nodes is left to expire, as the
// original leaves every session: a script that makes such a node with one command
// finds it with the next.
func (sh *Shell) Close(ctx context.Context) {
	s := sh.env.Session
	if s == nil {
		return
	}
	sh.quiet.Store(true)
	if sh.ephemerals && !sh.done {
		s.Abandon()
		return
	}
	s.Close(ctx)
}

// Run runs one command, given as words, and returns the exit code.
func (sh *Shell) Run(ctx context.Context, words []string) int {
	sh.process(ctx, words)
	return sh.exitCode
}

// Interact runs lines until there are no more or quit is given, and returns the exit
// code of the last command. The error is that of reading a line.
func (sh *Shell) Interact(ctx context.Context, lines Lines) (int, error) {
	sh.interactive = true
	sh.env.Out.Say("Welcome to ZooKeeper!\nJLine support is enabled")
	sh.awaitLink(ctx)
	for !sh.done {
		line, err := lines.ReadLine(sh.prompt())
		if err == io.EOF {
			break
		}
		if err != nil {
			return sh.exitCode, err
		}
		if line == "" {
			continue
		}
		sh.history = append(sh.history, line)
		if words := cmdline.Split(line); len(words) > 0 {
			lines.Running(ctx, func(ctx context.Context) { sh.process(ctx, words) })
		}
		if sh.env.Out.Error() != nil {
			break
		}
	}
	return sh.exitCode, nil
}

// awaitLink waits for the first link, as long as there is hope and time. That there is none
// is shown by the prompt.
func (sh *Shell) awaitLink(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sh.cfg.FirstWait)
	defer cancel()
	_ = sh.env.Session.WaitLinked(ctx)
}

// prompt is that of the original, with the number of the line to come.
func (sh *Shell) prompt() string {
	state := session.Closed
	if s := sh.env.Session; s != nil {
		state = s.State()
	}
	text := string(state)
	if sh.env.Out.Colour {
		colour := render.Green
		if !state.Linked() {
			colour = render.Red
		}
		text = render.Paint(colour, text)
	}
	return fmt.Sprintf("[zk: %s(%s) %d] ", sh.servers, text, len(sh.history))
}

// process runs a command, prints why it failed, and keeps the exit code.
func (sh *Shell) process(ctx context.Context, words []string) {
	err := sh.run(ctx, words)
	if sh.done {
		return // quit keeps the exit code of the command before it
	}
	if err == nil {
		sh.exitCode = 0
		return
	}
	sh.exitCode = 1
	if f, ok := err.(*command.Failure); ok {
		sh.exitCode = f.Code
	}
	sh.env.Out.Complain("%s", err)
}

// run finds a command and runs it. (ZooKeeperMain.processZKCmd)
func (sh *Shell) run(ctx context.Context, words []string) error {
	name := words[0]
	if b, ok := sh.builtins[name]; ok {
		if err := b.run(sh, ctx, words); err != nil || sh.done || b.extra {
			return err
		}
		// The original goes on to look for a session, and misses it.
		sh.connected()
		return nil
	}
	cmd := sh.cfg.Commands.Find(name)
	if cmd == nil {
		sh.usage()
		return command.NotFound(name)
	}
	if !sh.connected() {
		return sh.refused()
	}
	if name == "create" {
		sh.ephemerals = sh.ephemerals || mentionsEphemeral(words)
	}
	return cmd.Run(ctx, sh.env, words)
}

// connected says so if there is no session, which is no failure.
func (sh *Shell) connected() bool {
	if s := sh.env.Session; s != nil && s.State().Alive() {
		return true
	}
	sh.env.Out.Say("Not connected")
	return false
}

// refused is the failure of a command in a session whose login failed, nil if that is not why there is none.
//
// Differs from ZooKeeper, where the exit code is 0 if the login fails before the command begins, and 1 if during it.
func (sh *Shell) refused() error {
	if s := sh.env.Session; s != nil && s.State() == session.AuthFailed {
		return &command.Failure{Text: "KeeperErrorCode = AuthFailed", Code: 1}
	}
	return nil
}

// mentionsEphemeral tells whether the words of a create command may make an ephemeral node.
func mentionsEphemeral(words []string) bool {
	for _, w := range words[1:] {
		if strings.HasPrefix(w, "-") && strings.Contains(w, "e") {
			return true
		}
	}
	return false
}

// usage lists the commands of the original, with its text.
func (sh *Shell) usage() {
	sh.env.Out.Note("%s", strings.TrimSuffix(sh.Usage(), "\n"))
}

// Usage is the list of the original's commands, as it prints it for an unknown one.
func (sh *Shell) Usage() string {
	var b strings.Builder
	b.WriteString("ZooKeeper -server host:port -client-configuration properties-file cmd args\n")
	for _, e := range sh.entries() {
		if !e.extra {
			fmt.Fprintf(&b, "\t%s %s\n", e.name, e.args)
		}
	}
	return b.String()
}

// completer proposes the commands of the shell, and paths of its session.
func (sh *Shell) completer() completer {
	return completer{
		entries: sh.entries(),
		options: func(name string) []string {
			if c := sh.cfg.Commands.Find(name); c != nil {
				return c.Options()
			}
			return nil
		},
		children: func(ctx context.Context, path string) ([]string, error) {
			s := sh.env.Session
			if s == nil || !s.State().Linked() {
				return nil, io.EOF // no link, no paths; the text shows nowhere
			}
			children, _, err := s.AllChildren(ctx, path, false)
			return children, err
		},
		now: time.Now,
	}
}
