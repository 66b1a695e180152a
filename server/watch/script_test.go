package watch

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/wire"
)

// client is a watcher that writes down what it is told.
type client struct {
	name string
	log  *strings.Builder
}

func (c *client) Notify(e *Event) {
	fmt.Fprintf(c.log, "%s: %v %s zxid=%d", c.name, e.Type, e.Path, e.Zxid)
	for _, a := range e.ACL {
		fmt.Fprintf(c.log, " acl=%s", a.ID)
	}
	c.log.WriteByte('\n')
}

// script runs one file. Its commands, with watchers and paths as arguments:
//
//	data W PATH...        child W PATH...      set watches, see AddData and so on
//	persistent W PATH...  recursive W PATH...
//	has TYPE W PATH       remove TYPE W PATH   TYPE is children, data, any, persistent or recursive
//	remove-all W
//	created|deleted|changed PATH zxid=N        trigger; the node's list is "self", its parent's "parent"
//	set-watches W zxid=N                       input: "data|exist|child|persistent|recursive PATH",
//	                                           "node PATH mzxid=N pzxid=N" for nodes that exist
//	counts                each [max=N]
type script struct {
	t   *Table
	who map[string]*client
	log strings.Builder
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		s := &script{t: New(), who: make(map[string]*client)}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			s.log.Reset()
			s.run(t, d)
			if s.log.Len() == 0 {
				return "ok\n"
			}
			return s.log.String()
		})
	})
}

func (s *script) client(name string) *client {
	if s.who[name] == nil {
		s.who[name] = &client{name, &s.log}
	}
	return s.who[name]
}

func (s *script) run(t *testing.T, d *datadriven.TestData) {
	var pos []string
	num := map[string]int64{}
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			pos = append(pos, a.Key)
			continue
		}
		v, err := strconv.ParseInt(a.Vals[0], 10, 64)
		if err != nil {
			t.Fatalf("%s: %s: %v", d.Pos, a.Key, err)
		}
		num[a.Key] = v
	}
	switch d.Cmd {
	case "data", "child", "persistent", "recursive":
		for _, p := range pos[1:] {
			s.add(d.Cmd, p, s.client(pos[0]))
		}
	case "has":
		fmt.Fprintln(&s.log, s.t.Has(pos[2], watcherType(t, pos[0]), s.client(pos[1])))
	case "remove":
		fmt.Fprintln(&s.log, s.t.Remove(pos[2], watcherType(t, pos[0]), s.client(pos[1])))
	case "remove-all":
		s.t.RemoveAll(s.client(pos[0]))
	case "created", "deleted", "changed":
		typ := map[string]wire.EventType{"created": wire.EventNodeCreated, "deleted": wire.EventNodeDeleted,
			"changed": wire.EventNodeDataChanged}[d.Cmd]
		s.t.Trigger(&Change{Type: typ, Path: pos[0], Zxid: wire.Zxid(num["zxid"]), ACL: named("self"), ParentACL: named("parent")})
	case "set-watches":
		s.setWatches(t, d, s.client(pos[0]), wire.Zxid(num["zxid"]))
	case "counts":
		fmt.Fprintf(&s.log, "%+v\n", s.t.Counts())
	case "each":
		s.t.Each(func(path string, w Watcher) bool {
			fmt.Fprintf(&s.log, "%s %s\n", path, w.(*client).name)
			num["max"]--
			return num["max"] != 0
		})
	default:
		t.Fatalf("%s: unknown command", d.Pos)
	}
}

func named(id string) []wire.ACL {
	return []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "world", ID: id}}}
}

func (s *script) add(kind, path string, w Watcher) {
	switch kind {
	case "data":
		s.t.AddData(path, w)
	case "child":
		s.t.AddChild(path, w)
	default:
		s.t.AddPersistent(path, kind == "recursive", w)
	}
}

func watcherType(t *testing.T, name string) wire.WatcherType {
	typ, ok := map[string]wire.WatcherType{"children": wire.WatcherChildren, "data": wire.WatcherData, "any": wire.WatcherAny,
		"persistent": wire.WatcherPersistent, "recursive": wire.WatcherPersistentRecursive}[name]
	if !ok {
		t.Fatalf("watcher type %q", name)
	}
	return typ
}

func (s *script) setWatches(t *testing.T, d *datadriven.TestData, w Watcher, zxid wire.Zxid) {
	var req wire.SetWatches2
	req.RelativeZxid = zxid
	nodes := map[string]NodeState{}
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		f := strings.Fields(line)
		switch f[0] {
		case "node":
			n := NodeState{Exists: true}
			if _, err := fmt.Sscanf(f[2]+" "+f[3], "mzxid=%d pzxid=%d", &n.Mzxid, &n.Pzxid); err != nil {
				t.Fatalf("%s: %s: %v", d.Pos, line, err)
			}
			nodes[f[1]] = n
		case "data":
			req.DataWatches = append(req.DataWatches, f[1:]...)
		case "exist":
			req.ExistWatches = append(req.ExistWatches, f[1:]...)
		case "child":
			req.ChildWatches = append(req.ChildWatches, f[1:]...)
		case "persistent":
			req.PersistentWatches = append(req.PersistentWatches, f[1:]...)
		case "recursive":
			req.PersistentRecursiveWatches = append(req.PersistentRecursiveWatches, f[1:]...)
		default:
			t.Fatalf("%s: %s", d.Pos, line)
		}
	}
	if err := s.t.SetWatches(&req, w, func(p string) (NodeState, error) { return nodes[p], nil }); err != nil {
		t.Fatal(err)
	}
}
