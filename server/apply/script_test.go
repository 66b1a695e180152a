package apply

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/session"
	"holt/wire"
)

// script runs one file on an ensemble of three. Its directives:
//
//	do                          each line of the input is a command in an entry of its own
//	entry [time=ms] [term=N]    all lines of the input in one entry, which comes ms after the last
//	noop [term=N]               an empty entry
//	dump                        the state, the same on all members
//	snapshot                    one of the state as it is, with all sessions; see staging()
//	records                     the keys of records beside the tree, on member 1
//
// Lines are as command() reads them. The output is what the sinks are told, results
// after "> " with the session's name as xid: s1 has xids 100, 101, ...
type script struct {
	t        *testing.T
	e        *ensemble
	sessions map[string]*client
	term     uint64
	now      int64
	snapshot []byte
}

// client is a session and what its connection brings along.
type client struct {
	id     wire.SessionID
	member *member
	ids    []wire.Identity
	flags  Flags
	xid    wire.Xid
	passwd byte
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		e, err := newEnsemble()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.close(); err != nil {
				t.Error(err)
			}
		}()
		s := &script{t: t, e: e, sessions: map[string]*client{}, term: 1}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			s.t = t
			return s.run(d)
		})
	})
}

func (s *script) run(d *datadriven.TestData) string {
	step := int64(1000)
	if a, ok := d.Arg("time"); ok {
		step = s.number(a.Vals[0])
	}
	if a, ok := d.Arg("term"); ok {
		s.term = uint64(s.number(a.Vals[0]))
	}
	var b strings.Builder
	switch d.Cmd {
	case "do":
		for _, line := range strings.Split(d.Input, "\n") {
			b.WriteString(s.apply(step, line))
		}
	case "entry":
		b.WriteString(s.apply(step, strings.Split(d.Input, "\n")...))
	case "noop":
		b.WriteString(s.must(s.e.apply(s.term, nil)))
	case "snapshot":
		s.snapshot = s.takeSnapshot()
	case "records":
		s.records(&b)
	case "dump":
		b.WriteString(s.must(s.e.same()))
	default:
		s.t.Fatalf("%s: unknown directive", d.Pos)
	}
	s.must(s.e.same())
	return b.String()
}

func (s *script) must(text string, err error) string {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s *script) apply(step int64, lines ...string) string {
	var cmds [][]byte
	for _, line := range lines {
		if c := s.command(strings.Fields(line)); c != nil {
			cmds = append(cmds, c.AppendTo(nil))
		}
	}
	if len(cmds) == 0 {
		return ""
	}
	s.now += step
	return s.must(s.e.apply(s.term, AppendEntry(nil, s.now, cmds...)))
}

// args are the words of a line after the verb: k=v by key, the others in order.
type args struct {
	pos []string
	kv  map[string]string
}

func parseArgs(words []string) args {
	a := args{kv: map[string]string{}}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok && !strings.HasPrefix(w, "/") {
			a.kv[k] = v
		} else {
			a.pos = append(a.pos, w)
		}
	}
	return a
}

func (s *script) number(v string) int64 {
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) int(a args, key string, otherwise int64) int64 {
	if v, ok := a.kv[key]; ok {
		return s.number(v)
	}
	return otherwise
}

// command reads a line; nil if it only sets something.
//
//	open S [member=1] [timeout=4000]     attach S [member=] [timeout=] [passwd=]
//	S ids SCHEME:ID...                   S flags quota|skipacl|ttl|nodigest...
//	leader expire S [attached=]          leader reap PATH [never=ms]      leader config|versioned LINE...
//	leader format N
//	leader verdict CODE LINE...          on the reconfig that follows in the same entry
//	member N ...                see staging()
//	S REQUEST                            see request()
//	S raw OPCODE HEX                     any body
//	S multi REQUEST ; REQUEST ...
//	via N S ...                          sent by another member than the session was opened through last
func (s *script) command(w []string) *Command {
	switch w[0] {
	case "open", "attach":
		return s.connect(w)
	case "leader":
		return s.leader(w[1:])
	case "member":
		return s.staging(s.e.members[s.number(w[1])-1], w[2:])
	case "via":
		c := s.sessions[w[2]]
		defer func(m *member) { c.member = m }(c.member)
		c.member = s.e.members[s.number(w[1])-1]
		return s.command(w[2:])
	}
	c := s.sessions[w[0]]
	if c == nil {
		s.t.Fatalf("no session %q", w[0])
	}
	cmd := &Command{Session: c.id, Xid: c.xid, Identities: c.ids, Flags: c.flags}
	switch w[1] {
	case "ids":
		c.ids = nil
		for _, id := range w[2:] {
			scheme, id, _ := strings.Cut(id, ":")
			c.ids = append(c.ids, wire.Identity{Scheme: scheme, ID: id})
		}
		return nil
	case "flags":
		c.flags = 0
		for _, f := range w[2:] {
			c.flags |= map[string]Flags{"quota": EnforceQuota, "skipacl": SkipACL, "ttl": TTLEnabled, "nodigest": NoDigest, "sasl": SASL, "x509": X509}[f]
		}
		return nil
	case "raw":
		body, err := hex.DecodeString(strings.Join(w[3:], ""))
		if err != nil {
			s.t.Fatal(err)
		}
		cmd.Op, cmd.Body = wire.OpCode(s.number(w[2])), body
	case "multi":
		cmd.Op, cmd.Body = wire.OpMulti, s.multi(w[2:])
	case "close":
		cmd.Op = wire.OpCloseSession
	default:
		var r wire.Record
		cmd.Op, r = s.request(w[1:])
		cmd.Body = r.AppendTo(nil)
	}
	c.xid++
	c.member.next(cmd)
	return cmd
}

func (s *script) connect(w []string) *Command {
	a := parseArgs(w[1:])
	name := a.pos[0]
	m := s.e.members[s.int(a, "member", 1)-1]
	c := s.sessions[name]
	if c == nil {
		n := len(s.sessions) + 1
		c = &client{id: session.NextID(session.FirstID(m.id, 0) + wire.SessionID(n-1)), xid: wire.Xid(n * 100), passwd: byte(n)}
		s.sessions[name] = c
	}
	cmd := &Command{Session: c.id, Xid: c.xid, Op: wire.OpCreateSession}
	passwd := [16]byte{byte(s.int(a, "passwd", int64(c.passwd)))}
	cmd.Body = AppendConnect(nil, int32(s.int(a, "timeout", 4000)), passwd)
	if w[0] == "attach" {
		cmd.Op = OpAttach
	}
	c.member = m
	m.next(cmd)
	return cmd
}

func (s *script) leader(w []string) *Command {
	a := parseArgs(w[1:])
	switch w[0] {
	case "expire":
		c := &Command{Session: s.sessions[a.pos[0]].id, Op: wire.OpCloseSession, Flags: Expired}
		if n := s.int(a, "attached", -1); n >= 0 {
			c.Body = AppendExpire(nil, uint32(n))
		}
		return c
	case "reap":
		return &Command{Op: wire.OpDeleteContainer, Body: AppendReap(nil, a.pos[0], s.int(a, "never", 0))}
	case "config":
		return &Command{Op: wire.OpReconfig, Body: AppendMembers(nil, strings.Join(w[1:], "\n"), false)}
	case "format":
		return &Command{Op: OpFormat, Body: AppendFormat(nil, uint64(s.number(w[1])))}
	case "drop":
		staged := s.e.members[0].m.Staging()
		staged.Beats -= uint64(s.int(a, "beats", 0))
		return &Command{Op: OpStage, Body: AppendStageDrop(nil, &staged)}
	case "versioned":
		return &Command{Op: wire.OpReconfig, Body: AppendMembers(nil, strings.Join(w[1:], "\n"), true)}
	case "verdict":
		return &Command{Op: wire.OpReconfig, Body: AppendVerdict(nil, wire.ErrCode(s.number(w[1])), strings.Join(w[2:], "\n"))}
	}
	op, r := s.request(w)
	return &Command{Op: op, Body: r.AppendTo(nil)}
}

func (s *script) multi(w []string) []byte {
	var b []byte
	for _, part := range strings.Split(strings.Join(w, " "), ";") {
		if f := strings.Fields(part); len(f) > 0 {
			op, r := s.request(f)
			b = (&wire.MultiHeader{Type: op, Err: -1}).AppendTo(b)
			b = r.AppendTo(b)
		}
	}
	return wire.AppendMultiEnd(b)
}

// request reads a request of the protocol:
//
//	create|create2|createContainer|createTTL PATH [data=] [flags=0..6] [acl=SCHEME:ID:cdrwa,...|none] [ttl=ms]
//	delete PATH [v=-1]      set PATH [data=] [v=-1]     setacl PATH [acl=] [v=-1]     check PATH [v=-1]
//	get PATH                children PATH               reconfig
//
// Without data= the data is null; without acl= everybody may do everything.
func (s *script) request(w []string) (wire.OpCode, wire.Record) {
	a := parseArgs(w[1:])
	path := ""
	if len(a.pos) > 0 {
		path = a.pos[0]
	}
	var data []byte
	if v, ok := a.kv["data"]; ok {
		data = []byte(v)
	}
	flags, version := int32(s.int(a, "flags", 0)), int32(s.int(a, "v", -1))
	switch w[0] {
	case "create", "create2", "createContainer":
		op := map[string]wire.OpCode{"create": wire.OpCreate, "create2": wire.OpCreate2, "createContainer": wire.OpCreateContainer}[w[0]]
		return op, &wire.CreateRequest{Path: path, Data: data, ACL: s.acl(a), Flags: flags}
	case "createTTL":
		return wire.OpCreateTTL, &wire.CreateTTLRequest{Path: path, Data: data, ACL: s.acl(a), Flags: flags, TTLMillis: s.int(a, "ttl", -1)}
	case "delete":
		return wire.OpDelete, &wire.DeleteRequest{Path: path, Version: version}
	case "set":
		return wire.OpSetData, &wire.SetDataRequest{Path: path, Data: data, Version: version}
	case "setacl":
		return wire.OpSetACL, &wire.SetACLRequest{Path: path, ACL: s.acl(a), Version: version}
	case "check":
		return wire.OpCheck, &wire.CheckVersionRequest{Path: path, Version: version}
	case "get":
		return wire.OpGetData, &wire.GetDataRequest{Path: path}
	case "children":
		return wire.OpGetChildren, &wire.GetChildrenRequest{Path: path}
	case "reconfig":
		return wire.OpReconfig, &wire.ReconfigRequest{}
	}
	s.t.Fatalf("unknown request %q", w)
	return 0, nil
}

func (s *script) acl(a args) []wire.ACL {
	v, ok := a.kv["acl"]
	if !ok {
		return wire.OpenACL()
	}
	acl := []wire.ACL{}
	if v == "none" {
		return acl
	}
	for _, e := range strings.Split(v, ",") {
		i, j := strings.IndexByte(e, ':'), strings.LastIndexByte(e, ':')
		if j <= i {
			s.t.Fatalf("acl %q", e)
		}
		entry := wire.ACL{Identity: wire.Identity{Scheme: e[:i], ID: e[i+1 : j]}}
		for k, p := range []wire.Perms{wire.PermCreate, wire.PermDelete, wire.PermRead, wire.PermWrite, wire.PermAdmin} {
			if strings.IndexByte(e[j+1:], "cdrwa"[k]) >= 0 {
				entry.Perms |= p
			}
		}
		acl = append(acl, entry)
	}
	return acl
}
