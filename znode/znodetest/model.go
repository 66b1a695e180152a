package znodetest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"

	"holt/wire"
)

// Model is a data tree in one map.
type Model struct {
	nodes map[string]*modelNode
	zxid  wire.Zxid
	now   int64
	// events of the command under way
	events []string
}

// modelNode keeps what happened rather than what is shown.
type modelNode struct {
	data                []byte
	acl                 []wire.ACL
	czxid, mzxid, pzxid wire.Zxid
	ctime, mtime        int64
	version, aversion   int32
	created, deleted    int32 // children
	session             wire.SessionID
	container           bool
	ttl                 int64
}

// NewModel is the tree of a fresh server.
func NewModel() *Model {
	open := wire.OpenACL()
	read := []wire.ACL{{Perms: 1, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}
	// A fresh ZooKeeper has not counted the creation of its own nodes.
	return &Model{nodes: map[string]*modelNode{
		"/":                 {data: []byte{}, acl: open, deleted: -1},
		"/zookeeper":        {data: []byte{}, acl: open, deleted: -2},
		"/zookeeper/quota":  {data: []byte{}, acl: open},
		"/zookeeper/config": {data: []byte{}, acl: read, aversion: -1},
	}}
}

func (m *Model) clone() map[string]*modelNode {
	c := make(map[string]*modelNode, len(m.nodes))
	for p, n := range m.nodes {
		copied := *n
		c[p] = &copied
	}
	return c
}

// Node returns what is at a path; false: nothing.
func (m *Model) Node(path string) (data []byte, stat wire.Stat, ok bool) {
	n := m.nodes[path]
	if n == nil {
		return nil, wire.Stat{}, false
	}
	return n.data, m.stat(path), true
}

// Paths are those of all nodes, sorted.
func (m *Model) Paths() []string { return slices.Sorted(maps.Keys(m.nodes)) }

// Clone returns a copy.
func (m *Model) Clone() *Model { return &Model{nodes: m.clone(), zxid: m.zxid, now: m.now} }

// Restore puts the nodes of another tree in the place of all but /zookeeper/config.
func (m *Model) Restore(from *Model) {
	const config = "/zookeeper/config"
	nodes := from.clone()
	nodes[config] = m.nodes[config]
	m.nodes = nodes
}

// Digest is that of the tree, as Dump writes it.
func (m *Model) Digest() (digest uint64) {
	for p, n := range m.nodes {
		if !strings.HasPrefix(p, "/zookeeper/") {
			digest += n.digest(p)
		}
	}
	return digest
}

// Run carries a command out.
func (m *Model) Run(zxid wire.Zxid, now int64, c *Command) Result {
	m.zxid, m.now, m.events = zxid, now, nil
	r := m.run(c)
	r.Events = m.events
	return r
}

func (m *Model) run(c *Command) (r Result) {
	switch c.Op {
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		return m.create(c)
	case wire.OpDelete:
		r.Code = m.delete(c)
	case wire.OpSetData:
		return m.setData(c)
	case wire.OpSetACL:
		return m.setACL(c)
	case wire.OpCheck:
		n := m.nodes[c.Path]
		r.Code = first(
			when(!goodPath(c.Path), wire.ErrBadArguments),
			when(n == nil, wire.ErrNoNode),
			when(!m.may(c, n, wire.PermRead), wire.ErrNoAuth),
			when(n != nil && c.Version != -1 && n.version != c.Version, wire.ErrBadVersion))
	case wire.OpDeleteContainer:
		r.Code = m.reap(c)
	case wire.OpReconfig:
		n := m.nodes["/zookeeper/config"]
		n.data, n.mzxid, n.mtime, n.version = c.Data, m.zxid, m.now, -1
		m.event(wire.EventNodeDataChanged, "/zookeeper/config", n.acl, nil)
		r.Stat = m.stat("/zookeeper/config")
	case wire.OpCloseSession:
		for _, p := range slices.Sorted(maps.Keys(m.nodes)) {
			if m.nodes[p].session == c.By.Session && c.By.Session != 0 {
				m.remove(p)
			}
		}
	case wire.OpMulti:
		before := m.clone()
		r.Subs = make([]Result, len(c.Ops))
		for i := range c.Ops {
			r.Subs[i] = m.run(&c.Ops[i])
			if r.Subs[i].Code != wire.OK {
				m.nodes, m.events = before, nil
				failMulti(r.Subs, i)
				break
			}
		}
	}
	return r
}

func when(bad bool, code wire.ErrCode) wire.ErrCode {
	if bad {
		return code
	}
	return wire.OK
}

func first(codes ...wire.ErrCode) wire.ErrCode {
	for _, c := range codes {
		if c != wire.OK {
			return c
		}
	}
	return wire.OK
}

func goodPath(p string) bool {
	if p == "/" {
		return true
	}
	if !strings.HasPrefix(p, "/") {
		return false
	}
	for _, part := range strings.Split(p[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	for _, r := range p {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0xd800 && r < 0xf900 || r >= 0xfff0 {
			return false
		}
	}
	return true
}

func parentOf(p string) string {
	i := strings.LastIndex(p, "/")
	if i == 0 {
		return "/"
	}
	return p[:i]
}

func (m *Model) may(c *Command, n *modelNode, perm wire.Perms) bool {
	if n == nil || c.By.SkipACL || len(n.acl) == 0 {
		return true
	}
	for _, id := range c.By.Identities {
		if id.Scheme == "super" {
			return true
		}
	}
	for _, a := range n.acl {
		if a.Perms&perm == 0 {
			continue
		}
		if a.Scheme == "world" || slices.Contains(c.By.Identities, a.Identity) {
			return true
		}
	}
	return false
}

// fixACL knows the schemes that the generator uses, in forms that are valid or plainly not.
func (m *Model) fixACL(c *Command) (fixed []wire.ACL, ok bool) {
	for i, a := range c.ACL {
		if slices.Contains(c.ACL[:i], a) {
			continue
		}
		switch {
		case a.Scheme == "world" && a.ID == "anyone", a.Scheme == "digest" && strings.Count(strings.TrimRight(a.ID, ":"), ":") == 1:
			fixed = append(fixed, a)
		case a.Scheme == "auth":
			ok := false
			for _, id := range c.By.Identities {
				if id.Scheme == "digest" {
					ok = true
					fixed = append(fixed, wire.ACL{Perms: a.Perms, Identity: id})
				}
			}
			if !ok {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return fixed, len(fixed) > 0
}

func (m *Model) stat(p string) wire.Stat {
	n := m.nodes[p]
	return wire.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Aversion: n.aversion, Cversion: n.created + n.deleted,
		EphemeralOwner: int64(n.session), DataLength: int32(len(n.data)),
		NumChildren: int32(len(m.children(p))),
	}
}

func (m *Model) children(p string) (names []string) {
	for c := range m.nodes {
		if c != "/" && parentOf(c) == p {
			names = append(names, c[strings.LastIndex(c, "/")+1:])
		}
	}
	slices.Sort(names)
	return names
}

func (m *Model) event(t wire.EventType, p string, acl, parent []wire.ACL) {
	m.events = append(m.events, eventText(t, p, acl, parent))
}

func (m *Model) create(c *Command) (r Result) {
	mode := c.Flags
	sequential := mode == 2 || mode == 3 || mode == 6
	ephemeral := mode == 1 || mode == 3
	ttlMode := mode == 5 || mode == 6
	ttl := int64(-1)
	if c.Op == wire.OpCreateTTL {
		ttl = c.TTL
	}
	acl, aclOK := m.fixACL(c)
	slash := strings.LastIndex(c.Path, "/")
	r.Code = first(
		when(mode < 0 || mode > 6, wire.ErrBadArguments),
		when(ttlMode && !c.By.ExtendedTypes, wire.ErrUnimplemented),
		when(ttlMode && (ttl < 1 || ttl > 0xffffffffff), wire.ErrBadArguments),
		when(!ttlMode && (ttl >= 0 || c.Op == wire.OpCreateTTL), wire.ErrBadArguments),
		when(slash < 0 || strings.Contains(c.Path, "\x00"), wire.ErrBadArguments),
		when(!aclOK, wire.ErrInvalidACL))
	if r.Code != wire.OK {
		return r
	}
	pp := parentOf(c.Path)
	parent := m.nodes[pp]
	if parent == nil {
		r.Code = wire.ErrNoNode
		return r
	}
	path := c.Path
	if sequential {
		path += fmt.Sprintf("%010d", parent.created)
	}
	r.Code = first(
		when(!m.may(c, parent, wire.PermCreate), wire.ErrNoAuth),
		when(!goodPath(path) || path == "/zookeeper/quota/zookeeper_limits", wire.ErrBadArguments),
		when(m.nodes[path] != nil, wire.ErrNodeExists),
		when(parent.session != 0, wire.ErrNoChildrenForEphemerals))
	if r.Code == wire.OK {
		r.Code = m.overQuota(c, path, int64(len(c.Data)), 1)
	}
	if r.Code != wire.OK {
		return r
	}
	n := &modelNode{
		data: slices.Clone(c.Data), acl: acl, czxid: m.zxid, mzxid: m.zxid, pzxid: m.zxid,
		ctime: m.now, mtime: m.now,
	}
	switch {
	case c.Op == wire.OpCreateContainer:
		n.container = true
	case c.Op == wire.OpCreateTTL:
		n.ttl = ttl
	case ephemeral:
		n.session = c.By.Session
	}
	m.nodes[path] = n
	parent.created++
	parent.pzxid = m.zxid
	stat := m.stat(path)
	if quota, ok := strings.CutSuffix(path, "/zookeeper_stats"); ok && strings.HasPrefix(quota, "/zookeeper/quota") {
		m.recount(n, strings.TrimPrefix(quota, "/zookeeper/quota"))
	}
	m.charge(path, int64(len(c.Data)), 1)
	m.event(wire.EventNodeCreated, path, acl, parent.acl)
	return Result{Path: path, Stat: stat}
}

func undeletable(p string) bool {
	fixed := []string{"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"}
	return !strings.Contains(p, "/") || strings.Contains(p, "\x00") || slices.Contains(fixed, p)
}

func (m *Model) delete(c *Command) wire.ErrCode {
	if undeletable(c.Path) {
		return wire.ErrBadArguments
	}
	parent := m.nodes[parentOf(c.Path)]
	n := m.nodes[c.Path]
	code := first(
		when(parent == nil, wire.ErrNoNode),
		when(!m.may(c, parent, wire.PermDelete), wire.ErrNoAuth),
		when(n == nil, wire.ErrNoNode),
		when(n != nil && c.Version != -1 && c.Version != n.version, wire.ErrBadVersion),
		when(len(m.children(c.Path)) > 0, wire.ErrNotEmpty))
	if code == wire.OK {
		m.remove(c.Path)
	}
	return code
}

func (m *Model) reap(c *Command) wire.ErrCode {
	if undeletable(c.Path) {
		return wire.ErrBadArguments
	}
	n := m.nodes[c.Path]
	if n == nil {
		return wire.ErrNoNode
	}
	if len(m.children(c.Path)) > 0 {
		return wire.ErrNotEmpty
	}
	age := m.now - n.mtime
	switch {
	case n.container && (n.created > 0 || c.TTL > 0 && age > c.TTL), n.ttl > 0 && age > n.ttl:
		m.remove(c.Path)
		return wire.OK
	}
	return wire.ErrBadVersion
}

func (m *Model) remove(path string) {
	n, parent := m.nodes[path], m.nodes[parentOf(path)]
	delete(m.nodes, path)
	parent.deleted++
	parent.pzxid = m.zxid
	m.charge(path, -int64(len(n.data)), -1)
	m.event(wire.EventNodeDeleted, path, n.acl, parent.acl)
}

func (m *Model) setData(c *Command) (r Result) {
	n := m.nodes[c.Path]
	r.Code = first(
		when(!goodPath(c.Path), wire.ErrBadArguments),
		when(n == nil, wire.ErrNoNode),
		when(!m.may(c, n, wire.PermWrite), wire.ErrNoAuth))
	if r.Code != wire.OK {
		return r
	}
	grown := int64(len(c.Data) - len(n.data))
	r.Code = first(m.overQuota(c, c.Path, grown, 0), when(c.Version != -1 && c.Version != n.version, wire.ErrBadVersion))
	if r.Code != wire.OK {
		return r
	}
	n.data, n.mzxid, n.mtime = slices.Clone(c.Data), m.zxid, m.now
	if n.version++; n.version == -1 {
		n.version = 0
	}
	stat := m.stat(c.Path)
	m.event(wire.EventNodeDataChanged, c.Path, n.acl, nil)
	m.charge(c.Path, grown, 0)
	return Result{Stat: stat}
}

func (m *Model) setACL(c *Command) (r Result) {
	acl, ok := m.fixACL(c)
	n := m.nodes[c.Path]
	r.Code = first(
		when(!goodPath(c.Path), wire.ErrBadArguments),
		when(!ok, wire.ErrInvalidACL),
		when(n == nil, wire.ErrNoNode),
		when(!m.may(c, n, wire.PermAdmin), wire.ErrNoAuth),
		when(n != nil && c.Version != -1 && c.Version != n.aversion, wire.ErrBadVersion))
	if r.Code == wire.OK {
		n.acl = acl
		if n.aversion++; n.aversion == -1 {
			n.aversion = 0
		}
		r.Stat = m.stat(c.Path)
	}
	return r
}

// quota finds the longest path with limits that covers p.
func (m *Model) quota(p string) (found string) {
	for q := range m.nodes {
		top, ok := strings.CutPrefix(q, "/zookeeper/quota")
		if !ok {
			continue
		}
		if top, ok = strings.CutSuffix(top, "/zookeeper_limits"); ok && top != "" &&
			(p == top || strings.HasPrefix(p, top+"/")) && len(top) > len(found) {
			found = top
		}
	}
	return found
}

// figures reads "count=1,bytes=2=;byteHardLimit=3".
func figures(data []byte) map[string]int64 {
	f := map[string]int64{"count": -1, "bytes": -1}
	for _, kv := range strings.FieldsFunc(string(data), func(r rune) bool { return r == ',' || r == ';' }) {
		k, v, _ := strings.Cut(kv, "=")
		f[k], _ = strconv.ParseInt(strings.TrimSuffix(v, "="), 10, 64)
	}
	return f
}

func (m *Model) overQuota(c *Command, p string, bytes, count int64) wire.ErrCode {
	top := m.quota(p)
	limits, stats := m.nodes["/zookeeper/quota"+top+"/zookeeper_limits"], m.nodes["/zookeeper/quota"+top+"/zookeeper_stats"]
	if !c.By.EnforceQuota || top == "" || stats == nil {
		return wire.OK
	}
	if strings.Contains(string(limits.data), "rubbish") {
		return wire.ErrMarshallingError
	}
	limit, used := figures(limits.data), figures(stats.data)
	exceeds := func(now int64, grown int64, key string) bool {
		v, ok := limit[key]
		return ok && v >= 0 && grown != 0 && now+grown > v
	}
	if exceeds(used["count"], count, "countHardLimit") || exceeds(used["bytes"], bytes, "byteHardLimit") {
		return wire.ErrQuotaExceeded
	}
	return wire.OK
}

func (m *Model) charge(p string, bytes, count int64) {
	top := m.quota(p)
	n := m.nodes["/zookeeper/quota"+top+"/zookeeper_stats"]
	if top == "" || n == nil {
		return
	}
	used := figures(n.data)
	n.data = fmt.Appendf(nil, "count=%d,bytes=%d", used["count"]+count, used["bytes"]+bytes)
	if len(used) > 2 {
		n.data = append(n.data, '=')
	}
	for _, k := range slices.Sorted(maps.Keys(used)) {
		if k != "count" && k != "bytes" {
			n.data = fmt.Appendf(n.data, ";%s=%d", k, used[k])
		}
	}
}

func (m *Model) recount(stats *modelNode, top string) {
	var count, bytes int
	for p, n := range m.nodes {
		if p == top || strings.HasPrefix(p, top+"/") {
			count++
			bytes += len(n.data)
		}
	}
	if m.nodes[top] == nil && top != "" {
		count, bytes = 0, 0
	}
	stats.data = fmt.Appendf(nil, "count=%d,bytes=%d", count, bytes)
}

func (n *modelNode) owner() int64 {
	switch {
	case n.container:
		return -1 << 63
	case n.ttl > 0:
		return -1<<56 | n.ttl
	}
	return int64(n.session)
}

// Dump is the whole tree as text, with the sums.
func (m *Model) Dump() string {
	var b strings.Builder
	var ephemerals, size int
	var digest uint64
	for _, p := range slices.Sorted(maps.Keys(m.nodes)) {
		n := m.nodes[p]
		writeNode(&b, p, n.data, n.acl, m.stat(p), n.created, n.owner())
		if n.session != 0 {
			ephemerals++
		}
		size += len([]rune(p)) + len(n.data)
		if !strings.HasPrefix(p, "/zookeeper/") {
			digest += n.digest(p)
		}
	}
	fmt.Fprintf(&b, "nodes %d ephemerals %d bytes %d digest %x\n", len(m.nodes)+1, ephemerals, size, digest)
	return b.String()
}

func (n *modelNode) digest(p string) uint64 {
	if p == "/" {
		p = ""
	}
	b := append([]byte(p), n.data...)
	for _, v := range []int64{int64(n.czxid), int64(n.mzxid), int64(n.pzxid), n.ctime, n.mtime} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	for _, v := range []int32{n.version, n.created, n.aversion} {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(n.owner()))
	return uint64(crc32.ChecksumIEEE(b))
}

func writeNode(b *strings.Builder, path string, data []byte, acl []wire.ACL, s wire.Stat, created int32, owner int64) {
	text := "null"
	if data != nil {
		text = strconv.Quote(string(data))
		if len(text) > 60 {
			text = fmt.Sprintf("%s... %d bytes, crc %08x", text[:20], len(data), crc32.ChecksumIEEE(data))
		}
	}
	fmt.Fprintf(b, "%s = %s %s\n", path, text, statText(s))
	if created != s.Cversion || owner != s.EphemeralOwner {
		fmt.Fprintf(b, "  created %d owner %#x\n", created, uint64(owner))
	}
	if t := aclText(acl); t != "world:anyone:cdrwa" {
		fmt.Fprintf(b, "  acl %s\n", t)
	}
}

func statText(s wire.Stat) string {
	t := fmt.Sprintf("c=%v@%d m=%v@%d p=%v v=%d/%d/%d n=%d len=%d",
		s.Czxid, s.Ctime, s.Mzxid, s.Mtime, s.Pzxid, s.Version, s.Cversion, s.Aversion, s.NumChildren, s.DataLength)
	if s.EphemeralOwner != 0 {
		t += fmt.Sprintf(" session=%#x", uint64(s.EphemeralOwner))
	}
	return t
}
