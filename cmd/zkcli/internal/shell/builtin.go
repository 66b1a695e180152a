package shell

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/command"
	"holt/cmd/zkcli/internal/render"
)

// builtin is a command about the command line itself.
type builtin struct {
	args, help string
	extra      bool // not in the original
	run        func(sh *Shell, ctx context.Context, words []string) error
}

func builtins() map[string]builtin {
	return map[string]builtin{
		"connect":      {args: "host:port", help: "open a session with other servers", run: (*Shell).connect},
		"history":      {help: "list the last lines", run: (*Shell).showHistory},
		"redo":         {args: "cmdno", help: "run a line of the history again", run: (*Shell).redo},
		"printwatches": {args: "on|off", help: "whether events are printed", run: (*Shell).printWatches},
		"quit":         {help: "end the session and the program", run: (*Shell).quit},
		"help":         {args: "[command]", help: "list the commands, or show one", extra: true, run: (*Shell).help},
		"output":       {args: "text|json|yaml", help: "how results are written", extra: true, run: (*Shell).output},
	}
}

// entry is a command of either kind, for lists.
type entry struct {
	name, args, help string
	extra            bool
}

// entries returns all commands, sorted by name.
func (sh *Shell) entries() []entry {
	var all []entry
	for name, b := range sh.builtins {
		all = append(all, entry{name, b.args, b.help, b.extra})
	}
	for _, c := range sh.cfg.Commands {
		all = append(all, entry{c.Name, c.Args, c.Help, c.Extra})
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all
}

func (sh *Shell) connect(ctx context.Context, words []string) error {
	servers := sh.servers
	if len(words) > 1 {
		servers = words[1]
	}
	return sh.Connect(ctx, servers)
}

func (sh *Shell) quit(ctx context.Context, _ []string) error {
	if s := sh.env.Session; s != nil {
		s.Close(ctx)
	}
	sh.done = true
	return nil
}

// showHistory lists the last eleven lines. A command given to the program itself is not
// in the history; the original then lists a line "null".
func (sh *Shell) showHistory(context.Context, []string) error {
	lines := sh.history
	if !sh.interactive {
		lines = []string{"null"}
	}
	const most = 11
	for i := max(0, len(lines)-most); i < len(lines); i++ {
		sh.env.Out.Say("%d - %s", i, lines[i])
	}
	return nil
}

// redo runs an earlier line, and puts it into the history in place of its own.
//
// Differs from ZooKeeper: the exit code is that of the line that was run.
func (sh *Shell) redo(ctx context.Context, words []string) error {
	if len(words) < 2 {
		return nil
	}
	i, err := strconv.ParseInt(words[1], 0, 32)
	if err != nil {
		return failf("command index is no number: %q", words[1])
	}
	last := len(sh.history) - 1 // this line
	if i < 0 || int(i) >= last {
		return failf("Command index out of range")
	}
	line := sh.history[i]
	again := cmdline.Split(line)
	if len(again) == 0 {
		return nil
	}
	if again[0] == "redo" {
		return failf("No redoing redos")
	}
	sh.history[last] = line
	return sh.run(ctx, again)
}

func (sh *Shell) printWatches(_ context.Context, words []string) error {
	if len(words) > 1 {
		sh.quiet.Store(words[1] != "on")
		return nil
	}
	state := "on"
	if sh.quiet.Load() {
		state = "off"
	}
	sh.env.Out.Say("printwatches is %s", state)
	return nil
}

func (sh *Shell) output(_ context.Context, words []string) error {
	if len(words) < 2 {
		sh.env.Out.Say("output is %s", sh.env.Out.Format)
		return nil
	}
	format, err := render.ParseFormat(words[1])
	if err != nil {
		return failf("%v", err)
	}
	sh.env.Out.Format = format
	return nil
}

// help shows the commands, those of the original first.
func (sh *Shell) help(_ context.Context, words []string) error {
	if len(words) > 1 {
		return sh.helpFor(words[1])
	}
	var b strings.Builder
	b.WriteString(sh.cfg.Help)
	for _, extra := range []bool{false, true} {
		title := "Commands of zkCli.sh:"
		if extra {
			title = "Beyond it:"
		}
		fmt.Fprintf(&b, "%s\n", title)
		for _, e := range sh.entries() {
			if e.extra == extra {
				fmt.Fprintf(&b, "  %-22s %s\n", e.name, e.help)
			}
		}
	}
	b.WriteString("help COMMAND shows its options. -o json or -o yaml works with every command.")
	sh.env.Out.Say("%s", b.String())
	return nil
}

func (sh *Shell) helpFor(name string) error {
	if c := sh.cfg.Commands.Find(name); c != nil {
		sh.env.Out.Say("%s", strings.TrimSuffix(c.Describe(), "\n"))
		return nil
	}
	if b, ok := sh.builtins[name]; ok {
		sh.env.Out.Say("%s %s\n%s", name, b.args, b.help)
		return nil
	}
	return command.NotFound(name)
}

func failf(format string, args ...any) error {
	return &command.Failure{Text: fmt.Sprintf(format, args...), Code: 1}
}
