package compare

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"

	"holt/wire"
)

// request returns a random request.
func (g *Generator) request() Step {
	spec := func(weight int, name string, args ...func() value) weighted {
		return weighted{weight, func() Step { return g.step(name, args...) }}
	}
	path, data, acl, watch, version := g.path, g.data, g.acl, g.watch, g.version
	return g.choose([]weighted{
		spec(10, "create", g.newPath, data, acl, g.mode),
		spec(10, "create2", g.newPath, data, acl, g.mode),
		spec(2, "createContainer", g.newPath, data, acl, func() value { return value{n: int64(pick(g, 4, 4, 4, 0, 2, 5, 9))} }),
		spec(3, "createTTL", g.newPath, data, acl, func() value { return value{n: int64(pick(g, 5, 5, 6, 6, 0, 4, 7, -1))} }, g.ttl),
		spec(8, "delete", path, version),
		spec(12, "setData", g.ownPath, data, version),
		spec(4, "setACL", g.ownPath, acl, version),
		spec(7, "exists", path, watch),
		spec(9, "getData", path, watch),
		spec(3, "getACL", path),
		spec(5, "getChildren", path, watch),
		spec(5, "getChildren2", path, watch),
		spec(2, "sync", g.syncPath),
		spec(1, "ping"),
		spec(1, "whoAmI"),
		spec(2, "getEphemerals", g.prefix),
		spec(2, "getAllChildrenNumber", path),
		spec(3, "addWatch", path, func() value { return value{n: int64(pick(g, 0, 0, 0, 1, 1, 1, 2, 7, -1))} }),
		spec(3, "checkWatches", path, g.watcher),
		spec(3, "removeWatches", path, g.watcher),
		{2, g.setWatches},
		{10, g.multi},
		{2, g.multiRead},
		{2, g.quota},
		{1, g.rare},
		{1, g.soup},
	})
}

// rare returns a request of which a few are enough, because they end a turn or the connection.
func (g *Generator) rare() Step {
	switch g.rng.IntN(8) {
	case 0:
		return Step{Cut: -1, Code: wire.OpCode(pick(g, 0, 10, 23, 70, 99, 108, 999, -1, -2, -12, 1<<30)), Raw: []byte{0, 0, 0, 1, '/'}}
	case 1:
		return g.step("check", g.path, g.version)
	case 2:
		return g.step("reconfig", g.null, g.null, g.null, func() value { return value{n: -1} })
	case 3:
		return g.step("sasl", g.data)
	case 4:
		return g.step("auth", zero, func() value { return value{s: pick(g, "foo", "world", "auth", "sasl", "super", "", "DIGEST")} }, g.credentials)
	case 5:
		scheme := "ip"
		if g.TLS {
			scheme = "x509"
		}
		return g.step("auth", zero, func() value { return value{s: scheme} }, g.credentials)
	}
	return g.step("auth", zero, func() value { return value{s: "digest"} }, g.credentials)
}

// soup returns a known op code with a body of parts that belong into some body. What is a null where
// text is expected is for scripts by hand (null-path, null-acl), as is a sync of what is no
// text (utf-8).
func (g *Generator) soup() Step {
	s := Step{Cut: -1, Code: pick(g, wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpDelete, wire.OpExists, wire.OpGetData, wire.OpSetData,
		wire.OpGetACL, wire.OpSetACL, wire.OpGetChildren, wire.OpGetChildren2, wire.OpSetWatches, wire.OpSetWatches2,
		wire.OpAddWatch, wire.OpCheckWatches, wire.OpRemoveWatches, wire.OpGetEphemerals, wire.OpGetAllChildrenNumber, wire.OpWhoAmI)}
	parts := []func(){
		func() { s.Raw = wire.AppendInt32(s.Raw, int32(pick(g, 0, 0, 1, 1, 2, 3, 31, 255, 1<<20, 1<<30))) },
		func() {
			s.Raw = wire.AppendString(s.Raw, pick(g, g.root, g.root+"/a", g.root+"/b", "", "/", "x", "world", "anyone"))
		},
		func() { s.Raw = append(s.Raw, 0) },
		func() {
			s.Raw = (&wire.ACL{Perms: 31, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}).AppendTo(wire.AppendInt32(s.Raw, 1))
		},
		func() {
			s.Raw = (&wire.MultiHeader{Type: pick(g, wire.OpCreate, wire.OpDelete, wire.OpSetData, wire.OpGetData), Err: -1}).AppendTo(s.Raw)
		},
		func() { s.Raw = wire.AppendMultiEnd(s.Raw) },
	}
	for range g.rng.IntN(7) {
		pick(g, parts...)()
	}
	return s
}

func zero() value { return value{} }

func (g *Generator) null() value { return value{null: true} }

func (g *Generator) credentials() value {
	return value{s: pick(g, "u1:p1", "u2:p2", "u2:p2", "u1:wrong", "nocolon", ":", "u:", "a:b:c", "super:wrong", "super:secret")}
}

// step returns a request with the given makers of its fields.
func (g *Generator) step(name string, args ...func() value) Step {
	s := Step{Op: g.byName[name], Cut: -1}
	s.Code = s.Op.code
	for _, a := range args {
		s.Args = append(s.Args, a())
	}
	return s
}

// tame takes out of a request what is an accepted difference.
func (g *Generator) tame(s *Step) {
	for i := range s.Parts {
		if v := &s.Parts[i].Args[0]; v.null { // null-path, multiread-null
			*v = value{s: g.root}
		}
	}
	if s.Op == nil || len(s.Args) == 0 || !s.Args[0].null {
		return
	}
	switch s.Code { // null-path
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer:
		s.Args[3].n = 0
	case wire.OpCreateTTL:
		s.Args[3].n, s.Args[4].n = 5, 1000000
	case wire.OpAddWatch, wire.OpCheckWatches, wire.OpRemoveWatches:
		s.Args[0] = value{}
	}
}

// note remembers a path that may come to exist.
func (g *Generator) note(s *Step) {
	if s.Op == nil {
		return
	}
	switch s.Code {
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		p := s.Args[0].s
		if mode := wire.CreateMode(s.Args[3].n); mode.Sequential() {
			p += fmt.Sprintf("%010d", g.rng.IntN(4))
		}
		if len(g.used) < 40 {
			g.used = append(g.used, p)
		} else {
			g.used[g.rng.IntN(len(g.used))] = p
		}
	}
	for i := range s.Parts {
		g.note(&s.Parts[i])
	}
}

// path returns a path that probably exists, seldom one that cannot.
func (g *Generator) path() value {
	switch n := g.rng.IntN(100); {
	case n < 70 && len(g.used) > 0:
		return value{s: g.used[g.rng.IntN(len(g.used))]}
	case n < 85:
		return value{s: g.root}
	case n < 90:
		v := value{s: pick(g, "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config")}
		if v.s == "/zookeeper/config" && g.Ensemble {
			v.s = g.root
		}
		return v
	case n < 96:
		return g.newPath()
	}
	return g.badPath()
}

// ownPath is like path, but never a node that outlives the script.
func (g *Generator) ownPath() value {
	v := g.path()
	switch v.s {
	case "/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota":
		v.s = g.root
	}
	return v
}

// newPath returns a path below the root of the script.
func (g *Generator) newPath() value {
	if g.chance(3) {
		return g.badPath()
	}
	parent := g.root
	if g.chance(60) && len(g.used) > 0 {
		parent = g.used[g.rng.IntN(len(g.used))]
	}
	if strings.Count(parent, "/") > 4 || !strings.HasPrefix(parent, g.root) {
		parent = g.root
	}
	return value{s: parent + "/" + pick(g, "a", "b", "c", "d", "long-name_1.x", "é", "a ", "")}
}

// badPath returns something that is not a path, or a path that must not be created. Bytes that are
// not UTF-8, and characters beyond 16 bits, are for scripts by hand: the original garbles them.
func (g *Generator) badPath() value {
	if g.chance(5) {
		return value{null: true}
	}
	return value{s: pick(g, "", "a", "a/b", "//", g.root+"/", g.root+"//a", g.root+"/.", g.root+"/..", g.root+"/./a", g.root+"/../a",
		g.root+"/a\x00b", g.root+"/\x01", g.root+"/\u0085", g.root+"/\ue000", g.root+"/\uffff", g.root+"/none/none", "/zookeeper/config/x")}
}

// syncPath is a path that is echoed.
func (g *Generator) syncPath() value {
	if g.chance(20) {
		return g.badPath()
	}
	return g.path()
}

func (g *Generator) prefix() value {
	if g.chance(50) {
		return value{s: g.root + pick(g, "", "/", "/a", "/b/")}
	}
	return g.path()
}

func (g *Generator) data() value {
	switch n := g.rng.IntN(100); {
	case n < 10:
		return value{null: true}
	case n < 20:
		return value{}
	case n < 23:
		return value{s: strings.Repeat("x", 100+g.rng.IntN(3000))}
	}
	return value{s: pick(g, "1", "data", "\x00\xff", "some more of it")}
}

func (g *Generator) watch() value { return value{n: int64(g.rng.IntN(2))} }

func (g *Generator) version() value {
	if g.chance(70) {
		return value{n: -1}
	}
	return value{n: int64(pick(g, 0, 0, 0, 1, 1, 2, 3, 7, -2))}
}

func (g *Generator) mode() value {
	return value{n: int64(pick(g, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7, -1))}
}

func (g *Generator) ttl() value {
	return value{n: pick[int64](g, 3600000, 86400000, 1<<40-1, 1<<40, 0, -1)}
}

func (g *Generator) watcher() value {
	return value{n: int64(pick(g, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 0, 6))}
}

// digestID is the id that credentials give, as the original makes it.
func digestID(user, password string) string {
	sum := sha1.Sum([]byte(user + ":" + password))
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

func (g *Generator) acl() value {
	if g.chance(70) {
		return value{acls: wire.OpenACL()}
	}
	if g.chance(6) {
		return pick(g, value{null: true}, value{acls: []wire.ACL{}})
	}
	var acls []wire.ACL
	for range 1 + g.rng.IntN(3) {
		acls = append(acls, g.aclEntry())
	}
	return value{acls: acls}
}

func (g *Generator) aclEntry() wire.ACL {
	perms := wire.Perms(pick(g, 31, 31, 31, 1, 1, 3, 5, 9, 16, 17, 30, 2, 4, 8, 0, 32, 63, -1))
	ids := []wire.Identity{
		{Scheme: "world", ID: "anyone"}, {Scheme: "world", ID: "anyone"}, {Scheme: "auth"}, {Scheme: "auth", ID: "ignored"},
		{Scheme: "digest", ID: digestID("u1", "p1")}, {Scheme: "digest", ID: digestID("u2", "p2")}, {Scheme: "digest", ID: "u3:x"},
		{Scheme: "ip", ID: "127.0.0.1"}, {Scheme: "ip", ID: "127.0.0.0/8"}, {Scheme: "ip", ID: "10.0.0.0/8"}, {Scheme: "ip", ID: "::1"},
	}
	if g.TLS {
		ids = append(ids, wire.Identity{Scheme: "x509", ID: "CN=alice"}, wire.Identity{Scheme: "x509", ID: "CN=bob"},
			wire.Identity{Scheme: "x509", ID: "CN=nobody"}, wire.Identity{Scheme: "x509", ID: "no name"}, wire.Identity{Scheme: "x509"})
	}
	if g.chance(5) {
		ids = []wire.Identity{
			{Scheme: "world", ID: "everyone"}, {Scheme: "digest", ID: "nocolon"}, {Scheme: "digest", ID: "a:b:c"}, {Scheme: "ip", ID: "1.2.3"},
			{Scheme: "ip", ID: "1.2.3.4/33"}, {Scheme: "ip", ID: "256.0.0.1"}, {Scheme: "foo", ID: "bar"}, {Scheme: "super", ID: ""}, {Scheme: "sasl", ID: "x"},
			{Scheme: "x509", ID: "CN=x"}, {}, {Scheme: "world"},
		}
	}
	return wire.ACL{Perms: perms, Identity: pick(g, ids...)}
}

// setWatches returns a setWatches or setWatches2 over paths of the script.
func (g *Generator) setWatches() Step {
	paths := func() value {
		v := value{list: []string{}}
		for range g.rng.IntN(4) {
			if p := g.path(); !p.null && p.s != "" {
				v.list = append(v.list, p.s)
			}
		}
		if len(v.list) == 0 && g.chance(5) {
			return value{null: true}
		}
		return v
	}
	zxid := func() value {
		return value{n: pick(g, zxidLast, zxidLast, zxidBase+int64(g.rng.IntN(200)), 0, zxidAhead)}
	}
	if g.chance(50) {
		return g.step("setWatches", zxid, paths, paths, paths)
	}
	return g.step("setWatches2", zxid, paths, paths, paths, paths, paths)
}

// multi returns a multi of writes, seldom with something that has no place there.
func (g *Generator) multi() Step {
	s := g.step("multi")
	for range g.rng.IntN(6) {
		part := g.choose([]weighted{
			{5, func() Step { return g.step("create", g.newPath, g.data, g.acl, g.mode) }},
			{5, func() Step { return g.step("create2", g.newPath, g.data, g.acl, g.mode) }},
			{1, func() Step {
				return g.step("createContainer", g.newPath, g.data, g.acl, func() value { return value{n: int64(pick(g, 4, 4, 0, 2, 5, 9))} })
			}},
			{1, func() Step { return g.step("createTTL", g.newPath, g.data, g.acl, g.mode, g.ttl) }},
			{4, func() Step { return g.step("delete", g.path, g.version) }},
			{6, func() Step { return g.step("setData", g.ownPath, g.data, g.version) }},
			{4, func() Step { return g.step("check", g.path, g.version) }},
		})
		s.Parts = append(s.Parts, part)
	}
	if g.Quotas && len(s.Parts) > 1 {
		s.Parts = s.Parts[:1] // quota-in-multi
	}
	if g.chance(3) {
		s.Parts = append(s.Parts, pick(g, g.step("getData", g.path, g.watch), g.step("exists", g.path, g.watch), g.step("setACL", g.ownPath, g.acl, g.version), g.step("sync", g.syncPath)))
	}
	return s
}

func (g *Generator) multiRead() Step {
	s := g.step("multiRead")
	for range g.rng.IntN(5) {
		if g.chance(50) {
			s.Parts = append(s.Parts, g.step("getData", g.path, g.watch))
		} else {
			s.Parts = append(s.Parts, g.step("getChildren", g.path, g.watch))
		}
	}
	if g.chance(10) {
		s.Parts = append(s.Parts, pick(g, g.step("exists", g.path, g.watch), g.step("delete", g.path, g.version), g.step("check", g.path, g.version)))
	}
	return s
}

// quota returns a step that makes, changes, reads or removes a quota of a node of the script.
func (g *Generator) quota() Step {
	node := g.root
	if g.chance(40) && len(g.used) > 0 {
		node = g.used[g.rng.IntN(len(g.used))]
	}
	path := "/zookeeper/quota" + node + pick(g, "", "/zookeeper_limits", "/zookeeper_stats", "/zookeeper_limits", "/zookeeper_stats")
	at := func() value { return value{s: path} }
	limits := func() value {
		return value{s: pick(g, "count=5,bytes=20", "count=-1,bytes=-1", "count=10,bytes=-1=;byteHardLimit=60;countHardLimit=8", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=12")}
	}
	if strings.HasSuffix(path, "stats") {
		limits = func() value { return value{s: "count=0,bytes=0"} }
	}
	switch g.rng.IntN(8) {
	case 0, 1, 2, 3:
		return g.step("create", at, limits, func() value { return value{acls: wire.OpenACL()} }, zero)
	case 4:
		return g.step("setData", at, limits, g.version)
	case 5:
		return g.step("delete", at, g.version)
	case 6:
		return g.step("getChildren", at, g.watch)
	}
	return g.step("getData", at, g.watch)
}
