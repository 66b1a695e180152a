package command

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
)

// Env is what commands work on.
type Env struct {
	Session *session.Session
	Out     *render.Output
	In      io.Reader        // for import from -
	Zone    *time.Location   // of times in text; nil is the local one
	Now     func() time.Time // nil is time.Now
	Events  *Events          // for watch
	// Version is what the command version prints behind its title.
	Version string
}

// Command is one command. It is made once and never changes.
type Command struct {
	Name string
	// Args is what stands behind the name in usage texts.
	Args string
	// Help says in one line what the command does.
	Help  string
	Extra bool // not in the original

	syntax cmdline.Syntax
	table  bool // usage shows the options one by one
	// operands is how many words there must be besides the name; fewer show the usage.
	operands int
	// loose commands look at no options: every word is an operand.
	loose bool
	run   func(ctx context.Context, c *Call) error
}

// Call is one use of a command.
type Call struct {
	*Env
	*cmdline.Parsed
	cmd   *Command
	words []string // as given
}

// Usage is how the command is written, as the original shows it when it is written wrongly.
func (c *Command) Usage() string {
	s := c.Name + " " + c.Args
	if c.table {
		s += "\n" + c.syntax.Table()
	}
	return s
}

// Describe is for people: what the command does, how it is written, and all its options.
func (c *Command) Describe() string {
	s := c.Name + " " + c.Args + "\n" + c.Help + "\n"
	all := cmdline.Syntax{}
	for _, o := range c.syntax.Options {
		o.Extra = false
		all.Options = append(all.Options, o)
	}
	return s + all.Table()
}

// Options returns the names of the options, with their dash, for completion.
func (c *Command) Options() []string {
	var names []string
	for _, o := range c.syntax.Options {
		names = append(names, "-"+o.Name)
	}
	return names
}

// Run parses words, of which the first is the name, and runs the command. The error is
// a *Failure, or that of the context.
func (c *Command) Run(ctx context.Context, env *Env, words []string) error {
	call := &Call{Env: env, cmd: c, words: slices.Clone(words)}
	if err := call.parse(); err != nil {
		return err
	}
	if len(call.Args) <= c.operands && c.operands > 0 {
		return fail(c.Usage())
	}
	return explain(c.run(ctx, call))
}

// parse takes the words apart, and obeys the option for the format of the output.
func (c *Call) parse() error {
	if c.cmd.loose {
		c.Parsed = &cmdline.Parsed{Args: c.words}
		return nil
	}
	p, err := c.cmd.syntax.Parse(c.words)
	if err != nil {
		return fail(err.Error())
	}
	c.Parsed = p
	if p.Has(outputOption) {
		format, err := render.ParseFormat(p.Value(outputOption))
		if err != nil {
			return fail(err.Error())
		}
		env := *c.Env
		env.Out = env.Out.With(format)
		c.Env = &env
	}
	return nil
}

// again handles a word too many, which older versions took for "watch": the third word of
// the line, whichever that is, is read as -w, as the original does.
func (c *Call) again(notice string) error {
	if len(c.Args) <= 2 {
		return nil
	}
	c.words[2] = "-w"
	c.Out.Complain("%s", notice)
	return c.parse()
}

// path is the first operand.
func (c *Call) path() string { return c.Args[1] }

// now is the present time.
func (e *Env) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

const outputOption = "o"

// Set is a list of commands.
type Set []*Command

// All returns the commands, sorted by name.
func All() Set {
	set := Set{
		addAuth(), addWatch(), closeSession(), config(), create(), deleteNode(), deleteAll(), delQuota(), get(), getACL(),
		countDescendants(), ephemerals(), listQuota(), list(), reconfig(), removeWatches(), set(), setACL(), setQuota(), stat(),
		syncServer(), version(), whoAmI(),
		tree(), find(), watch(), diskUse(), copyTree(), move(), exportTree(), importTree(),
	}
	for _, c := range set {
		if !c.loose {
			c.syntax.Options = append(c.syntax.Options, cmdline.Option{Name: outputOption, Arg: true, Help: "output format", Extra: true})
		}
	}
	slices.SortFunc(set, func(a, b *Command) int { return strings.Compare(a.Name, b.Name) })
	return set
}

// Find returns the command called name, nil if there is none.
func (s Set) Find(name string) *Command {
	i := slices.IndexFunc(s, func(c *Command) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return s[i]
}
