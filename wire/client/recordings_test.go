package client

import (
	"errors"
	"io"
	"time"

	"holt/wire"
)

// recordings are the captures, one file each. They leave nothing behind. recordReconfig
// is apart because it needs an ensemble.
var recordings = []struct {
	name string
	run  func(x *recording)
}{
	{"handshake", recordHandshake},
	{"create", recordCreate},
	{"data", recordData},
	{"acl", recordACL},
	{"children", recordChildren},
	{"multi", recordMulti},
	{"watches", recordWatches},
	{"auth", recordAuth},
	{"sasl", recordSASL},
	{"session", recordSession},
}

func recordHandshake(x *recording) {
	x.note("new session, timeout beyond the maximum")
	c := x.dial(Options{SessionTimeout: time.Hour})
	c.Abort()
	x.note("taken up again")
	again := x.dial(Options{Session: c.Session(), SessionTimeout: time.Millisecond})
	again.Abort()
	x.note("with a wrong password")
	_, err := Dial(x.ctx, x.r.addr(), Options{Session: Session{ID: c.SessionID()}})
	x.does("wrong password", wire.ErrSessionExpired, err)
	x.note("an unknown session")
	_, err = Dial(x.ctx, x.r.addr(), Options{Session: Session{ID: 0x123456789}})
	x.does("unknown session", wire.ErrSessionExpired, err)
	x.note("the client has seen more than the server")
	_, err = Dial(x.ctx, x.r.addr(), Options{LastZxid: 0x7f0000000000})
	x.does("client ahead", io.EOF, err)
	x.note("clients before 3.4 send no readOnly flag and get none")
	x.end(x.dial(Options{OmitReadOnly: true}))
	x.note("a client that takes a read-only server")
	x.end(x.dial(Options{ReadOnly: true}))
}

func recordCreate(x *recording) {
	c := x.dial(Options{})
	acl := wire.OpenACL()
	create := func(note string, want error, op wire.OpCode, path string, data []byte, mode wire.CreateMode) {
		x.send(c, note, want, op, &wire.CreateRequest{Path: path, Data: data, ACL: acl, Flags: int32(mode)})
	}
	create("persistent", nil, wire.OpCreate, "/vec", []byte("hi"), wire.ModePersistent)
	create("again: NodeExists", wire.ErrNodeExists, wire.OpCreate, "/vec", []byte("hi"), wire.ModePersistent)
	create("no parent: NoNode", wire.ErrNoNode, wire.OpCreate, "/none/a", nil, wire.ModePersistent)
	create("null data", nil, wire.OpCreate, "/vec/null", nil, wire.ModePersistent)
	create("empty data", nil, wire.OpCreate, "/vec/empty", []byte{}, wire.ModePersistent)
	create("ephemeral", nil, wire.OpCreate, "/vec/e", []byte("e"), wire.ModeEphemeral)
	create("below an ephemeral: NoChildrenForEphemerals", wire.ErrNoChildrenForEphemerals, wire.OpCreate, "/vec/e/x", nil, wire.ModePersistent)
	create("sequential", nil, wire.OpCreate, "/vec/s-", nil, wire.ModePersistentSequential)
	create("ephemeral sequential, create2", nil, wire.OpCreate2, "/vec/s-", []byte("x"), wire.ModeEphemeralSequential)
	create("create2", nil, wire.OpCreate2, "/vec/c2", []byte("x"), wire.ModePersistent)
	create("container", nil, wire.OpCreateContainer, "/vec/c", []byte("x"), wire.ModeContainer)
	create("bad path: BadArguments", wire.ErrBadArguments, wire.OpCreate, "/vec/.", nil, wire.ModePersistent)
	create("not ASCII", nil, wire.OpCreate, "/vec/höhle", []byte("ö"), wire.ModePersistent)
	x.send(c, "TTL", nil, wire.OpCreateTTL, &wire.CreateTTLRequest{Path: "/vec/ttl", ACL: acl, Flags: int32(wire.ModePersistentWithTTL), TTLMillis: 3600_000})
	x.send(c, "sequential with TTL", nil, wire.OpCreateTTL,
		&wire.CreateTTLRequest{Path: "/vec/ttl-", ACL: acl, Flags: int32(wire.ModePersistentSequentialWithTTL), TTLMillis: 3600_000})
	x.send(c, "no ACL: InvalidACL", wire.ErrInvalidACL, wire.OpCreate, &wire.CreateRequest{Path: "/vec/a"})
	x.send(c, "null path: MarshallingError", wire.ErrMarshallingError, wire.OpCreate, (*Body)(&[]byte{255, 255, 255, 255}))
	x.send(c, "not empty: NotEmpty", wire.ErrNotEmpty, wire.OpDelete, &wire.DeleteRequest{Path: "/vec", Version: -1})
	x.send(c, "wrong version: BadVersion", wire.ErrBadVersion, wire.OpDelete, &wire.DeleteRequest{Path: "/vec/e", Version: 3})
	x.deleteTree(c, "/vec")
	x.send(c, "missing: NoNode", wire.ErrNoNode, wire.OpDelete, &wire.DeleteRequest{Path: "/vec", Version: 0})
	x.end(c)
}

// deleteTree deletes a node and its children.
func (x *recording) deleteTree(c *Conn, path string) {
	x.note("clean up")
	names, err := c.GetChildren(x.ctx, path, false)
	x.does("list "+path, nil, err)
	for _, name := range names {
		x.does("delete "+name, nil, c.Delete(x.ctx, path+"/"+name, -1))
	}
	x.does("delete "+path, nil, c.Delete(x.ctx, path, -1))
}

// create creates a node with open access for a recording of something else.
func (x *recording) create(c *Conn, path string, data []byte, mode wire.CreateMode) {
	_, err := c.Create(x.ctx, path, data, wire.OpenACL(), mode)
	x.does("create "+path, nil, err)
}

func recordData(x *recording) {
	c := x.dial(Options{})
	x.create(c, "/vec", []byte("hi"), wire.ModePersistent)
	x.create(c, "/vec/null", nil, wire.ModeEphemeral)
	x.create(c, "/vec/empty", []byte{}, wire.ModePersistent)
	x.send(c, "exists", nil, wire.OpExists, &wire.ExistsRequest{Path: "/vec"})
	x.send(c, "exists, missing: NoNode", wire.ErrNoNode, wire.OpExists, &wire.ExistsRequest{Path: "/none"})
	x.send(c, "getData", nil, wire.OpGetData, &wire.GetDataRequest{Path: "/vec"})
	x.send(c, "getData of null, ephemeral", nil, wire.OpGetData, &wire.GetDataRequest{Path: "/vec/null"})
	x.send(c, "getData of empty", nil, wire.OpGetData, &wire.GetDataRequest{Path: "/vec/empty"})
	x.send(c, "getData, missing: NoNode", wire.ErrNoNode, wire.OpGetData, &wire.GetDataRequest{Path: "/none"})
	x.send(c, "setData", nil, wire.OpSetData, &wire.SetDataRequest{Path: "/vec", Data: []byte("x"), Version: 0})
	x.send(c, "setData to null, any version", nil, wire.OpSetData, &wire.SetDataRequest{Path: "/vec", Version: -1})
	x.send(c, "setData to empty", nil, wire.OpSetData, &wire.SetDataRequest{Path: "/vec", Data: []byte{}, Version: 2})
	x.send(c, "setData, wrong version: BadVersion", wire.ErrBadVersion, wire.OpSetData, &wire.SetDataRequest{Path: "/vec", Version: 9})
	x.send(c, "setData, missing: NoNode", wire.ErrNoNode, wire.OpSetData, &wire.SetDataRequest{Path: "/none", Version: 9})
	x.send(c, "record cut off: MarshallingError", wire.ErrMarshallingError, wire.OpGetData, (*Body)(&[]byte{0, 0, 0, 9, '/'}))
	x.deleteTree(c, "/vec")
	x.end(c)
}

func recordACL(x *recording) {
	c := x.dial(Options{})
	x.create(c, "/vec", []byte("hi"), wire.ModePersistent)
	x.send(c, "getACL", nil, wire.OpGetACL, &wire.GetACLRequest{Path: "/vec"})
	x.send(c, "getACL, missing: NoNode", wire.ErrNoNode, wire.OpGetACL, &wire.GetACLRequest{Path: "/none"})
	digest := wire.ACL{Perms: wire.PermAdmin, Identity: wire.Identity{Scheme: "digest", ID: "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="}}
	acl := []wire.ACL{{Perms: wire.PermAll &^ wire.PermAdmin, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}, digest}
	x.send(c, "setACL, wrong version: BadVersion", wire.ErrBadVersion, wire.OpSetACL, &wire.SetACLRequest{Path: "/vec", ACL: acl, Version: 3})
	x.send(c, "setACL, empty: InvalidACL", wire.ErrInvalidACL, wire.OpSetACL, &wire.SetACLRequest{Path: "/vec", Version: 3})
	x.send(c, "setACL", nil, wire.OpSetACL, &wire.SetACLRequest{Path: "/vec", ACL: acl, Version: 0})
	x.send(c, "getACL without ADMIN: hashes are masked", nil, wire.OpGetACL, &wire.GetACLRequest{Path: "/vec"})
	x.send(c, "setACL without ADMIN: NoAuth", wire.ErrNoAuth, wire.OpSetACL, &wire.SetACLRequest{Path: "/vec", ACL: acl, Version: 1})
	x.deleteTree(c, "/vec")
	x.end(c)
}

func recordChildren(x *recording) {
	c := x.dial(Options{})
	x.create(c, "/vec", []byte("hi"), wire.ModePersistent)
	x.send(c, "getChildren, none", nil, wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/vec"})
	x.send(c, "getChildren2, none", nil, wire.OpGetChildren2, &wire.GetChildren2Request{Path: "/vec"})
	x.send(c, "getEphemerals, none", nil, wire.OpGetEphemerals, &wire.GetEphemeralsRequest{PrefixPath: "/"})
	for _, name := range []string{"a", "b", "c"} {
		x.create(c, "/vec/"+name, nil, wire.ModeEphemeral)
	}
	x.send(c, "getChildren", nil, wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/vec"})
	x.send(c, "getChildren2", nil, wire.OpGetChildren2, &wire.GetChildren2Request{Path: "/vec"})
	x.send(c, "getChildren, missing: NoNode", wire.ErrNoNode, wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/none"})
	x.send(c, "getChildren2, missing: NoNode", wire.ErrNoNode, wire.OpGetChildren2, &wire.GetChildren2Request{Path: "/none"})
	x.send(c, "getEphemerals", nil, wire.OpGetEphemerals, &wire.GetEphemeralsRequest{PrefixPath: "/vec"})
	x.send(c, "getAllChildrenNumber", nil, wire.OpGetAllChildrenNumber, &wire.GetAllChildrenNumberRequest{Path: "/vec"})
	x.send(c, "getAllChildrenNumber, missing: NoNode", wire.ErrNoNode, wire.OpGetAllChildrenNumber, &wire.GetAllChildrenNumberRequest{Path: "/none"})
	x.deleteTree(c, "/vec")
	x.end(c)
	c = x.dial(Options{})
	x.note("getChildrenPage is unknown to Apache ZooKeeper: Unimplemented, closed")
	_, err := c.GetChildrenPage(x.ctx, &wire.GetChildrenPageRequest{Path: "/", MaxReturned: 2})
	x.does("page", wire.ErrUnimplemented, err)
	x.gone(c)
}

func recordMulti(x *recording) {
	c := x.dial(Options{})
	acl := wire.OpenACL()
	multi := func(note string, want error, op wire.OpCode, ops ...wire.MultiOp) {
		x.send(c, note, want, op, &wire.MultiRequest{Ops: ops})
	}
	create := func(op wire.OpCode, path string, mode wire.CreateMode) wire.MultiOp {
		return wire.MultiOp{Op: op, Record: &wire.CreateRequest{Path: path, Data: []byte("d"), ACL: acl, Flags: int32(mode)}}
	}
	set := func(path string, version int32) wire.MultiOp {
		return wire.MultiOp{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: path, Data: []byte("e"), Version: version}}
	}
	check := func(path string, version int32) wire.MultiOp {
		return wire.MultiOp{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: path, Version: version}}
	}
	remove := func(path string) wire.MultiOp {
		return wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: path, Version: -1}}
	}
	get := func(path string) wire.MultiOp {
		return wire.MultiOp{Op: wire.OpGetData, Record: &wire.GetDataRequest{Path: path}}
	}
	list := func(path string) wire.MultiOp {
		return wire.MultiOp{Op: wire.OpGetChildren, Record: &wire.GetChildrenRequest{Path: path}}
	}
	ttl := wire.MultiOp{Op: wire.OpCreateTTL,
		Record: &wire.CreateTTLRequest{Path: "/vec/t", ACL: acl, Flags: int32(wire.ModePersistentWithTTL), TTLMillis: 3600_000}}
	multi("nothing", nil, wire.OpMulti)
	multi("every kind", nil, wire.OpMulti,
		create(wire.OpCreate, "/vec", wire.ModePersistent), create(wire.OpCreate2, "/vec/b", wire.ModePersistentSequential),
		create(wire.OpCreateContainer, "/vec/c", wire.ModeContainer), ttl, create(wire.OpCreate, "/vec/e", wire.ModeEphemeral),
		set("/vec/e", 0), check("/vec/e", 1), remove("/vec/c"))
	multi("the second fails: nothing is done", nil, wire.OpMulti, remove("/vec/e"), check("/vec", 7), set("/vec", 0))
	multi("the first fails", nil, wire.OpMulti, create(wire.OpCreate, "/vec", wire.ModePersistent))
	multi("reads", nil, wire.OpMultiRead, get("/vec"), list("/vec"), get("/none"), list("/vec/t"))
	multi("a read in a multi: MarshallingError", wire.ErrMarshallingError, wire.OpMulti, get("/vec"))
	multi("a write in a multiRead: MarshallingError, and the end of a multi", wire.ErrMarshallingError, wire.OpMultiRead, set("/vec", 0))
	x.send(c, "an operation that is not for multis: MarshallingError", wire.ErrMarshallingError, wire.OpMulti,
		(*Body)(ptr((&wire.MultiRequest{Ops: []wire.MultiOp{{Op: wire.OpExists, Record: &wire.ExistsRequest{Path: "/"}}}}).AppendTo(nil))))
	x.deleteTree(c, "/vec")
	x.end(c)
}

func ptr[T any](v T) *T { return &v }

func recordWatches(x *recording) {
	seen := make(chan Event, 100)
	o := Options{OnEvent: func(e Event) { seen <- e }}
	c := x.dial(o)
	x.send(c, "exists on what is not there yet", wire.ErrNoNode, wire.OpExists, &wire.ExistsRequest{Path: "/vec", Watch: true})
	x.note("NodeCreated")
	x.create(c, "/vec", []byte("hi"), wire.ModePersistent)
	x.send(c, "data watch", nil, wire.OpGetData, &wire.GetDataRequest{Path: "/vec", Watch: true})
	x.send(c, "child watch", nil, wire.OpGetChildren2, &wire.GetChildren2Request{Path: "/vec", Watch: true})
	x.send(c, "NodeDataChanged", nil, wire.OpSetData, &wire.SetDataRequest{Path: "/vec", Data: []byte("x"), Version: -1})
	x.note("NodeChildrenChanged")
	x.create(c, "/vec/a", nil, wire.ModePersistent)
	x.send(c, "child watch", nil, wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/vec/a", Watch: true})
	x.send(c, "NodeDeleted", nil, wire.OpDelete, &wire.DeleteRequest{Path: "/vec/a", Version: -1})
	x.send(c, "persistent", nil, wire.OpAddWatch, &wire.AddWatchRequest{Path: "/vec", Mode: wire.AddWatchPersistent})
	x.send(c, "persistent recursive", nil, wire.OpAddWatch, &wire.AddWatchRequest{Path: "/vec", Mode: wire.AddWatchPersistentRecursive})
	x.send(c, "mode 7: MarshallingError", wire.ErrMarshallingError, wire.OpAddWatch, &wire.AddWatchRequest{Path: "/vec", Mode: 7})
	x.note("both kinds of event")
	x.create(c, "/vec/b", nil, wire.ModePersistent)
	x.send(c, "checkWatches", nil, wire.OpCheckWatches, &wire.CheckWatchesRequest{Path: "/vec", Type: wire.WatcherPersistent})
	x.send(c, "checkWatches: NoWatcher", wire.ErrNoWatcher, wire.OpCheckWatches, &wire.CheckWatchesRequest{Path: "/vec", Type: wire.WatcherChildren})
	x.send(c, "removeWatches", nil, wire.OpRemoveWatches, &wire.RemoveWatchesRequest{Path: "/vec", Type: wire.WatcherAny})
	x.send(c, "removeWatches: NoWatcher", wire.ErrNoWatcher, wire.OpRemoveWatches, &wire.RemoveWatchesRequest{Path: "/vec", Type: wire.WatcherAny})
	x.end(c)
	c = x.dial(o)
	old := wire.SetWatches{RelativeZxid: 1, DataWatches: []string{"/vec", "/none"}, ExistWatches: []string{"/vec/b", "/later"}, ChildWatches: []string{"/vec", "/none"}}
	x.send(c, "setWatches: what was missed comes first", nil, wire.OpSetWatches, &old)
	x.send(c, "setWatches2", nil, wire.OpSetWatches2, &wire.SetWatches2{SetWatches: wire.SetWatches{RelativeZxid: c.LastZxid(), DataWatches: []string{"/vec"}},
		PersistentWatches: []string{"/vec"}, PersistentRecursiveWatches: []string{"/vec/b"}})
	x.deleteTree(c, "/vec")
	x.end(c)
	if n := len(seen); n < 10 {
		x.t.Errorf("%d events", n)
	}
}

func recordAuth(x *recording) {
	c := x.dial(Options{})
	x.send(c, "whoAmI", nil, wire.OpWhoAmI, nil)
	x.send(c, "digest", nil, wire.OpAuth, &wire.AuthPacket{Scheme: "digest", Auth: []byte("u:p")})
	x.send(c, "whoAmI", nil, wire.OpWhoAmI, nil)
	x.send(c, "unknown scheme: AuthFailed, closed", wire.ErrAuthFailed, wire.OpAuth, &wire.AuthPacket{Scheme: "nobody", Auth: []byte("u:p")})
	x.gone(c)
}

func recordSASL(x *recording) {
	c := x.dial(Options{})
	x.send(c, "first step: the challenge", nil, wire.OpSASL, &wire.GetSASLRequest{Token: []byte{}})
	x.note("a bad answer: AuthFailed with a null token")
	call := c.Send(wire.OpSASL, &wire.GetSASLRequest{Token: []byte("nonsense")})
	if err := call.Wait(x.ctx); !errors.Is(err, wire.ErrAuthFailed) {
		x.t.Error(err)
	}
	x.gone(c)
}

func recordSession(x *recording) {
	c := x.dial(Options{})
	x.send(c, "ping", nil, wire.OpPing, nil)
	x.send(c, "sync", nil, wire.OpSync, &wire.SyncRequest{Path: "/vec"})
	x.note("the session ends, closed")
	x.end(c)
	c = x.dial(Options{})
	x.send(c, "an unknown operation: Unimplemented, closed", wire.ErrUnimplemented, 999, nil)
	x.gone(c)
	c = x.dial(Options{})
	x.send(c, "check alone: Unimplemented, closed", wire.ErrUnimplemented, wire.OpCheck, &wire.CheckVersionRequest{Path: "/"})
	x.gone(c)
}

func recordReconfig(x *recording) {
	c := x.dial(Options{})
	joining := "server.8=127.0.0.1:21987:21988:observer;127.0.0.1:21989"
	add := &wire.ReconfigRequest{JoiningServers: &joining, CurConfigID: -1}
	x.send(c, "NoAuth", wire.ErrNoAuth, wire.OpReconfig, add)
	x.send(c, "super", nil, wire.OpAuth, &wire.AuthPacket{Scheme: "digest", Auth: []byte("super:secret")})
	x.send(c, "another version: BadVersion", wire.ErrBadVersion, wire.OpReconfig, &wire.ReconfigRequest{JoiningServers: &joining, CurConfigID: 77})
	x.send(c, "no members: MarshallingError", wire.ErrMarshallingError, wire.OpReconfig, &wire.ReconfigRequest{NewMembers: ptr(""), CurConfigID: -1})
	x.send(c, "joining", nil, wire.OpReconfig, add)
	x.send(c, "leaving", nil, wire.OpReconfig, &wire.ReconfigRequest{LeavingServers: ptr("8"), CurConfigID: -1})
	x.end(c)
}
