package server

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holt/server/apply"
	"holt/server/membership"
	"holt/wire"
	"holt/znode/znodetest"
)

// Reconfigs in the simulation. Clients add, remove and change members, one by one and several at once,
// incrementally and as a whole, under a condition on the version and without. The oracle has the members
// as a map and works out for itself what a request must have come to.

// simServer is a member as a client asks for it.
type simServer struct {
	id       uint64
	observer bool
}

func (s simServer) role() string {
	if s.observer {
		return "observer"
	}
	return "participant"
}

// line is that of a server that a client has asked for; founders have no client port until then.
func (s simServer) line() string {
	return fmt.Sprintf("server.%[1]d=m%[1]d:1:2:%[2]s;m%[1]d:3", s.id, s.role())
}

// simChange is what a client asks for.
type simChange struct {
	whole   bool
	add     []simServer // of a whole one all
	remove  []uint64
	version int64 // −1: whatever it is
}

func (c *simChange) request() *wire.ReconfigRequest {
	var lines, ids []string
	for _, a := range c.add {
		lines = append(lines, a.line())
	}
	for _, id := range c.remove {
		ids = append(ids, fmt.Sprint(id))
	}
	joining, leaving := strings.Join(lines, ","), strings.Join(ids, ",")
	if c.whole {
		return &wire.ReconfigRequest{NewMembers: &joining, CurConfigID: c.version}
	}
	return &wire.ReconfigRequest{JoiningServers: &joining, LeavingServers: &leaving, CurConfigID: c.version}
}

// reconfigure asks for a change.
func (c *simClient) reconfigure() {
	s := c.s
	change := s.change()
	conn := c.conn
	change.version = -1
	if s.chance(2) {
		change.version = int64(s.oracle.members.version)
		if s.chance(3) {
			change.version -= int64(1 + s.w.Rand().IntN(3))
		}
	}
	for _, id := range change.remove {
		s.expelled[id] = true
	}
	if change.whole {
		for id := range s.oracle.members.servers {
			if !slices.ContainsFunc(change.add, func(a simServer) bool { return a.id == id }) {
				s.expelled[id] = true
			}
		}
	}
	req := change.request()
	if s.doctor.conditionIgnored {
		req.CurConfigID = -1
	}
	conn.sending = change
	conn.send(znodetest.Command{Op: wire.OpReconfig, Data: req.AppendTo(nil)})
	c.await(conn, nil)
}

// change draws one. Who was sent away does not come back: it would need an empty disk.
func (s *simulation) change() *simChange {
	c := &simChange{}
	now := maps.Clone(s.oracle.members.servers)
	for range 1 + s.w.Rand().IntN(2) {
		id := uint64(1 + s.w.Rand().IntN(s.voters+quorumtestSpares))
		_, is := now[id]
		switch {
		case slices.ContainsFunc(c.add, func(a simServer) bool { return a.id == id }) || slices.Contains(c.remove, id) || s.expelled[id]:
		case is && s.chance(3):
			c.remove = append(c.remove, id)
			delete(now, id)
		default:
			a := simServer{id, s.chance(3)}
			c.add = append(c.add, a)
			now[id] = a.line()
		}
	}
	if s.chance(4) {
		c.whole, c.add, c.remove = true, nil, nil
		for _, id := range slices.Sorted(maps.Keys(now)) {
			c.add = append(c.add, simServer{id, strings.Contains(now[id], "observer")})
		}
	}
	return c
}

// quorumtestSpares is how many members there are besides the founders.
const quorumtestSpares = 2

// simMembers is what /zookeeper/config must say.
type simMembers struct {
	servers    map[uint64]string // lines
	version    uint64
	configured bool // the text has a version
	verdict    *simVerdict
}

// simVerdict is a leader's on the reconfig that comes next.
type simVerdict struct {
	code  wire.ErrCode
	lines string
}

func (m *simMembers) lines() string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(m.servers)) {
		lines = append(lines, m.servers[id])
	}
	return strings.Join(lines, "\n")
}

// after is what a change makes of the members.
func (m *simMembers) after(c *simChange) *simMembers {
	next := &simMembers{servers: maps.Clone(m.servers)}
	if c.whole {
		clear(next.servers)
	}
	for _, id := range c.remove {
		delete(next.servers, id)
	}
	for _, a := range c.add {
		next.servers[a.id] = a.line()
	}
	return next
}

func (m *simMembers) voters() (n int) {
	for _, line := range m.servers {
		if strings.Contains(line, ":participant") {
			n++
		}
	}
	return n
}

// told is a leader's reconfig.
func (o *oracle) told(body []byte) {
	m := &o.members
	if body[0] == 'v' {
		m.verdict = &simVerdict{wire.ErrCode(int32(binary.BigEndian.Uint32(body[1:]))), string(body[5:])}
		return
	}
	o.next()
	if m.configured {
		return
	}
	m.configured = body[1] != 0
	version := uint64(0)
	if m.configured {
		version = uint64(wire.MakeZxid(o.zxid.Epoch(), 0))
	}
	o.setMembers(string(body[2:]), version)
}

// setMembers writes the members down.
func (o *oracle) setMembers(lines string, version uint64) znodetest.Result {
	m := &o.members
	m.servers, m.version = map[uint64]string{}, version
	for line := range strings.Lines(lines) {
		var id uint64
		line = strings.TrimSpace(line)
		if _, err := fmt.Sscanf(line, "server.%d=", &id); err != nil {
			o.s.w.Fail("members %q: %v", lines, err)
		}
		m.servers[id] = line
	}
	text := membership.Text(lines, version)
	r := o.run(&znodetest.Command{Op: wire.OpReconfig, Data: []byte(text)})
	r.Path = text // of the reply, the data
	return r
}

// reconfig is a client's, after the verdict in its entry.
func (o *oracle) reconfig(change *simChange) znodetest.Result {
	m := &o.members
	v := m.verdict
	m.verdict = nil
	if v == nil {
		o.s.w.Fail("a reconfig without a verdict")
	}
	next := m.after(change)
	must := wire.OK
	switch {
	case change.version != -1 && uint64(change.version) != m.version:
		must = wire.ErrBadVersion
	case change.whole && next.voters() < 2 && len(next.servers) > next.voters():
		must = wire.ErrMarshallingError // as in the original, whose parser refuses it
	case next.voters() < 2:
		must = wire.ErrBadArguments
	}
	switch v.code {
	case must:
	case wire.ErrReconfigInProgress:
		o.s.w.Count("reconfig in progress")
	case wire.ErrNewConfigNoQuorum:
		if must != wire.OK {
			o.s.w.Fail("reconfig %+v at version %x comes to %v, want %v", change, m.version, v.code, must)
		}
		o.s.w.Count("reconfig without a quorum")
	default:
		o.s.w.Fail("reconfig %+v at version %x comes to %v, want %v", change, m.version, v.code, must)
	}
	if v.code != wire.OK {
		o.s.w.Count("reconfig refused")
		return znodetest.Result{Code: v.code}
	}
	if want := next.lines(); v.lines != want {
		o.s.w.Fail("reconfig %+v of\n%s\nmakes\n%s\nwant\n%s", change, m.lines(), v.lines, want)
	}
	o.s.w.Count("reconfig")
	return o.setMembers(v.lines, uint64(o.zxid))
}

// endVerdict is the end of an entry: a change that Raft has made is made, also if the command
// was not taken.
func (o *oracle) endVerdict() {
	v := o.members.verdict
	o.members.verdict = nil
	if v != nil && v.code == wire.OK {
		o.next()
		o.s.w.Count("reconfig without its client")
		o.setMembers(v.lines, uint64(o.zxid))
	}
}

// checkMembers: Raft has the members that the text has, and besides at most newcomers that nobody
// has added yet.
func (s *simulation) checkMembers() {
	want := s.oracle.members.servers
	for _, id := range s.w.Up() {
		if !s.members[id].leadership.Load().self || s.members[id].Applied() != s.oracle.index {
			continue
		}
		status := s.w.Core(id).Status()
		if status.Joint {
			s.w.Fail("a change is half done at the end: %+v", status)
		}
		found := 0
		for _, m := range status.Members {
			line, listed := want[m.ID]
			switch {
			case listed && strings.Contains(line, ":observer") == m.Learner:
				found++
			case listed || !m.Learner:
				s.w.Fail("member %d is %+v in Raft, and in the text\n%s", m.ID, m, s.oracle.members.lines())
			}
		}
		if found != len(want) {
			s.w.Fail("Raft has %+v, the text\n%s", status.Members, s.oracle.members.lines())
		}
		return
	}
}

// reconfigFlags are those of a reconfig that a connection sends.
const reconfigFlags = apply.Admit | apply.SkipACL
