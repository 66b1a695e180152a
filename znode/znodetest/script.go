package znodetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

// Script runs the directives of a file on one tree. The model goes along: where
// it disagrees with the tree the output says so.
type Script struct {
	t     *testing.T
	env   *Env
	model *Model
	by    znode.Caller
}

// RunScript runs a file.
func RunScript(t *testing.T, file string, opts store.Options) {
	t.Helper()
	e, err := NewEnv(opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &Script{t: t, env: e, model: NewModel(), by: znode.Caller{Session: 1, ExtendedTypes: true}}
	datadriven.RunTest(t, file, s.handle)
	if err := e.Store.Close(); err != nil {
		t.Fatal(err)
	}
}

// handle is the manual of the script language.
func (s *Script) handle(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	words := make([]string, len(d.CmdArgs))
	for i := range d.CmdArgs {
		words[i] = d.CmdArgs[i].String()
	}
	args := parseArgs(t, strings.Join(words, " "))
	switch d.Cmd {
	case "as": // who the following commands are from: session, ids, skip-acl, enforce-quota, no-ttl, schemes
		s.by = args.caller()
		return ""
	case "entry": // commands, a line each, committed as one; a multi's operations are indented. Options: now, zxid
		return s.entry(d.Input, args)
	case "tree": // nodes at and below the path, all if there is none, and the sums
		return s.tree(args)
	case "get": // one node
		n, err := s.env.Tree.Get(args.path)
		if n == nil || err != nil {
			return fmt.Sprintln(n == nil, err)
		}
		var b strings.Builder
		writeNode(&b, n.Path, n.Data, n.ACL.Entries(), n.Stat(), n.Cversion, int64(n.Owner))
		return b.String()
	case "children": // in order
		names, err := s.env.Children(args.path)
		return lines(names, err)
	case "pages": // children by czxid in pages of at most max names and bytes bytes
		pages, err := s.env.Pages(args.path, args.int("max", 1000), args.int("bytes", 1<<20))
		var out []string
		for _, p := range pages {
			out = append(out, strings.Join(p, " "))
		}
		return lines(out, err)
	case "page": // one page, from czxid=... skip=...
		return s.page(args)
	case "descendants": // how many
		n, err := s.env.Tree.CountDescendants(args.path)
		return lines([]string{fmt.Sprint(n)}, err)
	case "ephemerals": // of session=...
		paths, err := s.env.Tree.Ephemerals(wire.SessionID(args.int("session", 1)))
		return lines(paths, err)
	case "reap": // what may go: now, never-used, after, max, look
		paths, next, err := s.env.Tree.Reap(int64(args.int("now", 0)), int64(args.int("never-used", 0)),
			args.path, args.int("max", 100), args.int("look", 100))
		if next != "" {
			paths = append(paths, "next "+next)
		}
		return lines(paths, err)
	case "restart":
		if err := s.env.Restart(); err != nil {
			t.Fatal(err)
		}
		return s.compare()
	}
	t.Fatalf("%s: no such directive: %s", d.Pos, d.Cmd)
	return ""
}

func lines(l []string, err error) string {
	if err != nil {
		l = append(l, err.Error())
	}
	if len(l) == 0 {
		return ""
	}
	return strings.Join(l, "\n") + "\n"
}

func (s *Script) entry(input string, args args) string {
	cmds := s.parseCommands(input)
	if z := args.int("zxid", 0); z != 0 {
		s.env.Zxid = wire.Zxid(z - 1)
	}
	if now := args.int("now", 0); now != 0 {
		s.env.Now = int64(now - 10)
	}
	results, err := s.env.Do(cmds...)
	if err != nil {
		s.t.Fatal(err)
	}
	entry := s.env.Log[len(s.env.Log)-1]
	var b strings.Builder
	for i, r := range results {
		zxid := entry.Zxid + wire.Zxid(i)
		fmt.Fprintf(&b, "%v ", zxid)
		writeResult(&b, &cmds[i], r, "  ")
		if want := s.model.Run(zxid, entry.Now, &cmds[i]); fmt.Sprint(want) != fmt.Sprint(r) {
			fmt.Fprintf(&b, "  MODEL SAYS %+v\n", want)
		}
	}
	return b.String() + s.compare()
}

// compare returns nothing if the model has the same tree.
func (s *Script) compare() string {
	got, err := s.env.Dump()
	if want := s.model.Dump(); got != want || err != nil {
		return fmt.Sprintf("%v\nMODEL HAS ANOTHER TREE:\n%s", err, want)
	}
	return ""
}

func writeResult(b *strings.Builder, c *Command, r Result, indent string) {
	fmt.Fprintf(b, "%v", c.Op)
	if c.Path != "" {
		fmt.Fprintf(b, " %q", c.Path)
	}
	if c.Op != wire.OpMulti {
		fmt.Fprintf(b, ": %s", r.Code.String())
	}
	if r.Path != "" && r.Path != c.Path {
		fmt.Fprintf(b, " %q", r.Path)
	}
	if r.Stat != (wire.Stat{}) {
		fmt.Fprintf(b, " %s", statText(r.Stat))
	}
	b.WriteByte('\n')
	for i, sub := range r.Subs {
		b.WriteString(indent + "- ")
		writeResult(b, &c.Ops[i], sub, indent+"  ")
	}
	for _, e := range r.Events {
		fmt.Fprintf(b, "%s%s\n", indent, strings.ReplaceAll(e, "world:anyone:cdrwa", "open"))
	}
}

func (s *Script) tree(args args) string {
	dump, err := s.env.Dump()
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	show := true
	for line := range strings.Lines(dump) {
		if line[0] == '/' {
			path, _, _ := strings.Cut(line, " = ")
			show = args.path == "" || path == args.path || strings.HasPrefix(path, args.path+"/")
		} else if line[0] == 'n' {
			show = args.path == ""
		}
		if show {
			b.WriteString(line)
		}
	}
	return b.String()
}

func (s *Script) page(args args) string {
	n, err := s.env.Tree.Get(args.path)
	if n == nil || err != nil {
		return fmt.Sprintln(n == nil, err)
	}
	p, err := s.env.Tree.ChildPage(n, znode.PageQuery{
		From:     znode.PageCursor{Czxid: wire.Zxid(args.int("czxid", 0)), Skip: int32(args.int("skip", 0))},
		NamesMax: args.int("max", 1000), BytesMax: args.int("bytes", 1<<20),
	})
	return lines(append(p.Names, fmt.Sprintf("next %v %d", p.Next.Czxid, p.Next.Skip)), err)
}
