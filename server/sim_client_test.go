package server

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holt/server/apply"
	"holt/wire"
	"holt/znode/znodetest"
)

// simClient keeps a session for as long as it is let, on one member after another, and now and
// then leaves without a word.
type simClient struct {
	s       *simulation
	id      int
	timeout int32 // ms, asked for

	session  wire.SessionID
	passwd   [wire.PasswdSize]byte
	lastZxid wire.Zxid
	told     wire.Zxid // the last one that a reply told it, as of which it sets watches again
	conn     *simConn
	links    int // connections so far
	tries    int
	made     []string              // nodes it created and has not deleted
	watching map[string]simVersion // nodes it left a watch on, as they were
	done     bool                  // it has made its last write after healing
}

// simConn is a connection to one run of a member.
type simConn struct {
	c       *simClient
	m       *simMember
	link    simLink
	places  int // requests sent
	waiting int // of these, without a reply
	closing bool
	open    bool
	sending *simChange // of the reconfig that is sent next
}

// simOp is one request.
type simOp struct {
	conn    *simConn
	xid     wire.Xid
	link    simLink
	place   int // in the order of its connection, from 1
	cmd     znodetest.Command
	change  *simChange // of a reconfig
	after   wire.Zxid  // of the newest write that was acknowledged to anybody when it was sent
	connect func(*simOutcome)
}

func (o *simOp) String() string {
	return fmt.Sprintf("request %d of client %d, %v %s", o.xid, o.link.client, o.cmd.Op, o.cmd.Path)
}

// later schedules the client's next step.
func (c *simClient) later(d time.Duration, f func()) { c.s.w.After(d, f) }

func (c *simClient) pause() time.Duration {
	return c.s.between(2*time.Millisecond, 150*time.Millisecond)
}

// act does the client's next thing; every path leads to the next act.
func (c *simClient) act() {
	s := c.s
	switch {
	case c.conn == nil || !c.conn.open || !c.conn.m.runs():
		c.conn = nil
		c.connect()
	case s.w.Healing() && c.done:
		c.later(200*time.Millisecond, c.act)
	case s.w.Healing():
		c.write(func() { c.done = true })
	case s.chance(60):
		c.leave()
	case s.chance(40):
		c.closeSession()
	case s.reconfigs && s.chance(25):
		c.reconfigure()
	case s.chance(20): // elsewhere, with the old connection still there
		c.conn = nil
		c.connect()
	case s.chance(3):
		c.read(s.chance(2))
	default:
		c.write(nil)
	}
}

// leave is the death of a client: another takes its place.
func (c *simClient) leave() {
	c.s.w.Count("client died")
	c.forget()
	c.later(c.pause(), c.act)
}

func (c *simClient) forget() {
	if c.session != 0 {
		c.s.orphans++
	}
	c.conn = nil
	c.newSession()
}

// newSession begins anew, without a session.
func (c *simClient) newSession() {
	c.session, c.lastZxid, c.told, c.made, c.watching = 0, 0, 0, nil, nil
}

// connect tries one member, drawn at random.
func (c *simClient) connect() {
	s := c.s
	up := s.w.Up()
	c.tries++
	try := c.tries
	c.later(time.Second+c.pause(), func() { // no answer
		if c.tries == try {
			c.act()
		}
	})
	if len(up) == 0 {
		return
	}
	m := s.members[up[s.w.Rand().IntN(len(up))]]
	m.on(c.s.between(100*time.Microsecond, 2*time.Millisecond), func() {
		select {
		case <-m.ready:
		default:
			return
		}
		if c.tries == try && c.lastZxid <= m.machine.LastZxid() && m.serving() {
			c.attach(m, try)
		}
	})
}

func (c *simClient) attach(m *simMember, try int) {
	s := c.s
	cmd := &apply.Command{Session: c.session, Op: apply.OpAttach}
	passwd := c.passwd
	if c.session == 0 {
		cmd.Op, cmd.Session = wire.OpCreateSession, m.nextSessionID()
		passwd[0] = byte(s.w.Rand().Uint32())
	}
	cmd.Body = apply.AppendConnect(nil, c.timeout, passwd)
	c.links++
	conn := &simConn{c: c, m: m, link: simLink{c.id, c.links}}
	op := s.issue(conn, cmd)
	op.connect = func(got *simOutcome) {
		if got.code == wire.OK { // the member serves it, whether or not the client still waits
			if old := m.conns[got.facts.ID]; old != nil {
				old.drop()
			}
			conn.open = true
			m.conns[got.facts.ID] = conn
			m.touched[got.facts.ID] = true
		}
		if c.tries != try {
			return
		}
		c.tries++
		switch {
		case got.code == wire.OK:
			c.conn, c.session, c.passwd = conn, got.facts.ID, passwd
			told := c.told
			m.on(0, func() { conn.rearm(told) })
			c.seen(got.zxid)
		default:
			s.w.Count("session was gone")
			c.newSession()
		}
		c.later(c.pause(), c.act)
	}
	if err := m.pipeline.submit(nil, nil, cmd); err != nil {
		s.w.Fail("submit: %v", err)
	}
	m.step()
}

// shown is seen for a reply, which the client knows the zxid of.
func (c *simClient) shown(zxid wire.Zxid) {
	c.seen(zxid)
	c.told = zxid
}

// seen: what a session is shown never goes back.
func (c *simClient) seen(zxid wire.Zxid) {
	if zxid < c.lastZxid {
		c.s.w.Fail("client %d is shown %v after %v", c.id, zxid, c.lastZxid)
	}
	c.lastZxid = zxid
}

// drop ends a connection: what it carried has no answer.
func (conn *simConn) drop() {
	conn.open = false
	conn.m.watches.RemoveAll(conn)
	for id, other := range conn.m.conns {
		if other == conn {
			delete(conn.m.conns, id)
		}
	}
}

// write sends some writes together; then waits for all answers, or for the end of its patience.
func (c *simClient) write(then func()) {
	conn := c.conn
	n := 1
	if c.s.chance(3) {
		n = 2 + c.s.w.Rand().IntN(4)
	}
	for range n {
		cmd := c.s.command(c)
		conn.send(cmd)
	}
	c.await(conn, then)
}

func (c *simClient) await(conn *simConn, then func()) {
	until := c.s.w.Now() + 5*time.Second
	var look func()
	look = func() {
		switch {
		case conn.waiting == 0:
			if then != nil {
				then()
			}
			c.act()
		case !conn.open || !conn.m.runs() || c.s.w.Now() > until:
			c.s.w.Count("answer lost")
			c.conn = nil
			c.act()
		default:
			c.later(c.s.between(time.Millisecond, 20*time.Millisecond), look)
		}
	}
	c.later(c.pause(), look)
}

// send puts a request on the connection.
func (conn *simConn) send(cmd znodetest.Command) {
	s := conn.c.s
	cmd.By.Session = conn.c.session
	ac := &apply.Command{Session: conn.c.session, Op: cmd.Op, Body: encodeRequest(&cmd)}
	if cmd.Op == wire.OpReconfig {
		ac.Flags = reconfigFlags
	}
	op := s.issue(conn, ac)
	op.cmd, op.change, conn.sending = cmd, conn.sending, nil
	conn.places++
	conn.waiting++
	op.place, op.after = conn.places, s.acknowledged
	conn.m.on(0, func() {
		if !conn.open {
			return
		}
		conn.m.touched[ac.Session] = true
		if err := conn.m.pipeline.submit(nil, nil, ac); err != nil {
			s.w.Fail("submit: %v", err)
		}
		conn.m.step()
	})
}

// issue numbers a command and notes who waits for it.
func (s *simulation) issue(conn *simConn, cmd *apply.Command) *simOp {
	s.xid++
	cmd.Xid = s.xid
	op := &simOp{conn: conn, xid: s.xid, link: conn.link}
	s.issued[op.xid] = op
	conn.m.waiting[op.xid] = op
	return op
}

// answered takes the reply, if the connection still carries it.
func (o *simOp) answered(got *simOutcome) {
	s, conn := o.conn.c.s, o.conn
	if o.connect != nil {
		o.connect(got)
		return
	}
	if !conn.open {
		return
	}
	if got.drop {
		conn.drop()
		return
	}
	conn.waiting--
	if got.zxid <= o.after {
		s.w.Fail("%v got %v, and was sent after a write of %v was acknowledged", o, got.zxid, o.after)
	}
	s.acknowledged = max(s.acknowledged, got.zxid)
	s.w.Count("acknowledged")
	if conn.c.conn == conn {
		conn.c.shown(got.zxid)
		conn.c.learn(o, got)
	}
	if o.cmd.Op == wire.OpCloseSession {
		conn.drop()
	}
}

// learn remembers which nodes there are.
func (c *simClient) learn(o *simOp, got *simOutcome) {
	switch {
	case got.code != wire.OK:
		c.s.w.Count("refused")
	case o.cmd.Op == wire.OpCreate2 && len(c.made) < 20:
		c.made = append(c.made, got.tree.Path)
	}
}

func (c *simClient) closeSession() {
	conn := c.conn
	conn.closing = true
	conn.send(znodetest.Command{Op: wire.OpCloseSession})
	c.await(conn, c.newSession)
}

// read looks at a node, after a sync or without.
func (c *simClient) read(sync bool) {
	conn, s := c.conn, c.s
	path := s.path(c)
	if len(c.watching) > 0 && s.chance(2) {
		paths := slices.Sorted(maps.Keys(c.watching))
		path = paths[s.w.Rand().IntN(len(paths))]
	}
	after := s.acknowledged
	conn.waiting++
	look := func() {
		if !conn.open || !conn.m.runs() {
			return
		}
		m := conn.m.machine
		m.RLock()
		defer m.RUnlock()
		n, err := m.Tree().Get(path)
		if err != nil {
			s.w.Fail("read %s: %v", path, err)
		}
		zxid, got := m.LastZxidLocked(), simVersion{}
		if n != nil {
			got = simVersion{there: true, data: string(n.Data), stat: n.Stat()}
		}
		want := s.oracle.at(path, zxid)
		if got.zxid = want.zxid; got != want && want.zxid != 0 || want.zxid == 0 && got.there {
			s.w.Fail("member %d shows %s at %v as %+v, want %+v", conn.m.seat.Member, path, zxid, got, want)
		}
		if sync && zxid < after {
			s.w.Fail("member %d shows a state of %v after a sync, %v was acknowledged before", conn.m.seat.Member, zxid, after)
		}
		conn.waiting--
		if c.conn == conn {
			c.shown(zxid)
			conn.watched(path, got)
		}
		s.w.Count("read")
	}
	conn.m.on(0, func() {
		conn.m.touched[c.session] = true
		if !sync {
			look()
			return
		}
		conn.m.peers.ReadBarrier(func(err error) {
			if err == nil {
				s.w.Count("sync")
				look()
			}
		})
	})
	c.await(conn, nil)
}

// ping keeps the session alive.
func (c *simClient) ping() {
	if conn := c.conn; conn != nil && conn.open && c.session != 0 {
		id := c.session
		conn.m.on(0, func() { conn.m.touched[id] = true })
	}
	c.later(time.Duration(c.timeout)*time.Millisecond/3, c.ping)
}
