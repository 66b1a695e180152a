package znodetest

import (
	"fmt"
	"strings"

	"holt/wire"
	"holt/znode"
)

// Command is one client's request, in the form both the tree and the model take.
type Command struct {
	By    znode.Caller
	Op    wire.OpCode // OpCloseSession, OpMulti, OpDeleteContainer (reaping) and the writes; OpReconfig sets the configuration
	Path  string
	Data  []byte
	ACL   []wire.ACL
	Flags int32
	// TTL of createTTL; for reaping how long an unused container stays.
	TTL     int64
	Version int32
	Ops     []Command // of OpMulti
}

// Result is what came of it. Stat is zero where the operation has none.
type Result struct {
	Code   wire.ErrCode
	Path   string
	Stat   wire.Stat
	Subs   []Result
	Events []string
}

// Run carries a command out on the tree, as one transaction.
func Run(t *znode.Tree, zxid wire.Zxid, now int64, c *Command) Result {
	t.Begin(zxid, now)
	from := len(t.Events())
	r := runOn(t, c)
	for _, e := range t.Events()[from:] {
		r.Events = append(r.Events, eventText(e.Type, e.Path, e.ACL.Entries(), e.ParentACL.Entries()))
	}
	return r
}

func eventText(t wire.EventType, path string, acl, parent []wire.ACL) string {
	s := fmt.Sprintf("%v %s %s", t, path, aclText(acl))
	if len(parent) > 0 {
		s += " parent " + aclText(parent)
	}
	return s
}

func runOn(t *znode.Tree, c *Command) (r Result) {
	switch c.Op {
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		var made znode.Created
		made, r.Code = t.Create(&c.By, &znode.CreateOp{
			Op: c.Op, Path: c.Path, Data: c.Data, ACL: c.ACL, Flags: c.Flags, TTLMillis: c.TTL,
		})
		r.Path, r.Stat = strings.Clone(made.Path), made.Stat
	case wire.OpDelete:
		r.Code = t.Delete(&c.By, c.Path, c.Version)
	case wire.OpSetData:
		r.Stat, r.Code = t.SetData(&c.By, c.Path, c.Data, c.Version)
	case wire.OpSetACL:
		r.Stat, r.Code = t.SetACL(&c.By, c.Path, c.ACL, c.Version)
	case wire.OpCheck:
		r.Code = t.Check(&c.By, c.Path, c.Version)
	case wire.OpDeleteContainer:
		r.Code = t.Reaped(c.Path, c.TTL)
	case wire.OpReconfig:
		r.Stat, r.Code = t.SetConfig(c.Data)
	case wire.OpCloseSession:
		t.CloseSession(c.By.Session)
	case wire.OpMulti:
		r.Subs = runMulti(t, c.Ops)
	default:
		panic(fmt.Sprintf("no such command: %v", c.Op))
	}
	return r
}

func runMulti(t *znode.Tree, ops []Command) []Result {
	subs := make([]Result, len(ops))
	m := t.Mark()
	for i := range ops {
		subs[i] = runOn(t, &ops[i])
		if subs[i].Code != wire.OK {
			t.Rollback(m)
			failMulti(subs, i)
			break
		}
	}
	return subs
}

// failMulti makes the results those of a multi whose operation k failed.
func failMulti(subs []Result, k int) {
	for i := range subs {
		switch {
		case i < k:
			subs[i] = Result{}
		case i > k:
			subs[i] = Result{Code: wire.ErrRuntimeInconsistency}
		}
	}
}

func aclText(acl []wire.ACL) string {
	parts := make([]string, len(acl))
	for i, a := range acl {
		parts[i] = fmt.Sprintf("%s:%s:%v", a.Scheme, a.ID, a.Perms)
	}
	return strings.Join(parts, ",")
}
