package apply

import (
	"fmt"
	"slices"

	"holt/session"
	"holt/wire"
	"holt/znode"
)

// execution is one entry being carried out, all before it is visible. Kept from entry to entry for its memory.
type execution struct {
	m        *Machine
	tree     *znode.Tree
	sessions *session.Table

	begun    bool // a command has begun
	outcomes []outcome
	ids      []wire.Identity // of all commands
	body     []byte          // replies of all own commands
	dec      wire.Decoder
	tally    tally
	verdict  verdict // on the client's reconfig that comes next
	format   uint64  // after the commands so far
	// configured is Machine.configured after the commands so far.
	configured bool
	// staging is Machine.staging after the commands so far, beside the records that they changed with it.
	staging   Staging
	beside    []znode.Record
	restoring bool  // the entry is a restore
	err       error // why the command at hand cannot be carried out: this member ends

	// Of the command at hand:

	cmd    Command
	alone  bool // it is the only one of its entry
	own    bool
	caller znode.Caller
	result Result
	moved  sessionEvent
	facts  session.Facts
}

// outcome is what is told of a command. Others' commands have one only if there
// is more to tell than changes.
type outcome struct {
	events           int // length of the tree's events after the command
	session          sessionEvent
	facts            session.Facts
	own              bool
	cmd              Command
	result           Result
	bodyFrom, bodyTo int // the reply in execution.body
}

type sessionEvent uint8

const (
	sessionNone sessionEvent = iota
	sessionOpened
	sessionMoved
	sessionClosed
)

func (x *execution) begin(m *Machine) {
	x.m, x.tree, x.sessions = m, m.tree, m.sessions
	x.begun, x.verdict, x.format, x.err = false, verdict{}, m.format.Load(), nil
	x.configured = m.configured.Load()
	x.staging, x.restoring = *m.staging.Load(), false
	x.tally = tally{entries: 1}
}

// end lets go of the entry. What it keeps for the next one is bounded.
func (x *execution) end() {
	x.outcomes = trim(x.outcomes, 1024)
	x.ids = trim(x.ids, 4096)
	x.beside = trim(x.beside, 1024)
	if cap(x.body) > 1<<20 {
		x.body = nil
	}
	x.body = x.body[:0]
	x.dec.Reset(nil)
	x.cmd, x.caller, x.result, x.facts = Command{}, znode.Caller{}, Result{}, session.Facts{}
}

// run carries out the commands of an entry.
func (x *execution) run(data []byte) error {
	s := &x.m.state
	e, err := openEntry(data)
	if err != nil {
		return err
	}
	s.millis = max(s.millis, e.millis)
	for n := 0; ; n++ {
		b, err := e.next()
		if err == nil && b == nil {
			x.endVerdict()
			return nil
		}
		if err == nil {
			x.ids, err = x.cmd.decode(b, x.ids)
		}
		if err != nil {
			return fmt.Errorf("command %d: %w", n, err)
		}
		if !s.take(&x.cmd.Origin) {
			x.tally.ignored++
			continue
		}
		x.alone = n == 0 && len(e.rest) == 0
		x.command()
		if x.err != nil {
			return fmt.Errorf("command %d: %w", n, x.err)
		}
	}
}

// command carries out the one at hand.
func (x *execution) command() {
	c := &x.cmd
	cfg := &x.m.cfg
	x.own = c.Member == cfg.Member && c.Incarnation == cfg.Incarnation && c.Member != 0
	x.result, x.moved = Result{}, sessionNone
	from := len(x.body)
	x.result.Err = x.judge()
	x.result.Zxid = x.m.state.zxid
	x.tally.commands++
	if x.result.Err != wire.OK {
		x.tally.rejected++
	}
	if !x.own && x.moved == sessionNone {
		return
	}
	x.outcomes = append(x.outcomes, outcome{
		events: len(x.events()), session: x.moved, facts: x.facts,
		own: x.own, cmd: x.cmd, result: x.result, bodyFrom: from, bodyTo: len(x.body),
	})
}

// start takes the zxid of the command. Nothing may be changed before.
func (x *execution) start() {
	x.tree.Begin(x.m.state.nextZxid(), x.m.state.millis)
	x.begun = true
}

// events are the changes of the entry so far. The tree's are those of an earlier one until it begins.
func (x *execution) events() []znode.Event {
	if !x.begun {
		return nil
	}
	return x.tree.Events()
}

// readable ends the decoding of a request. If it went well the command starts.
// A request that breaks off takes no zxid, one whose path is null does: the
// original stumbles over it later.
func (x *execution) readable() bool {
	ok := x.dec.Err() == nil
	if ok || x.nullPath() {
		x.start()
	}
	return ok
}

// nullPath reports whether nothing is wrong with the request but a null path.
func (x *execution) nullPath() bool {
	const length = 4 // of the path, which comes first
	if d := wire.NewDecoder(x.cmd.Body); d.Int32() != -1 {
		return false
	}
	d := wire.NewDecoder(slices.Concat(make([]byte, length), x.cmd.Body[length:]))
	wire.NewRequest(x.cmd.Op).Decode(d)
	return d.Err() == nil
}

// judge carries out the command and returns its outcome. Every operation takes
// care that nothing has changed if that is not OK.
func (x *execution) judge() wire.ErrCode {
	c := &x.cmd
	switch {
	case c.Member == 0:
		return x.judgeLeader()
	case c.Op == wire.OpCreateSession:
		return x.createSession()
	case c.Op == OpAttach:
		return x.attach()
	case c.Op == OpStage && x.format >= FormatRestore:
		return x.stage()
	case c.Op == OpRestore && x.format >= FormatRestore:
		return x.restore()
	}
	if f, ok := x.sessions.Peek(c.Session); c.Flags&Local == 0 && (!ok || f.Owner != c.Member) {
		x.start()
		x.result.Drop = true
		if !ok {
			return wire.ErrSessionExpired
		}
		return wire.ErrSessionMoved
	}
	x.caller = callerOf(c)
	x.dec.Reset(c.Body)
	switch c.Op {
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer:
		return x.create()
	case wire.OpCreateTTL:
		return x.createTTL()
	case wire.OpDelete:
		return x.delete()
	case wire.OpSetData:
		return x.setData()
	case wire.OpSetACL:
		return x.setACL()
	case wire.OpMulti:
		return x.multi()
	case wire.OpCloseSession:
		x.start()
		return x.closeSession()
	case wire.OpReconfig:
		return x.reconfig()
	}
	// Among them check, which is good only within a multi, and deleteContainer, which
	// ZooKeeper takes from anybody.
	x.start()
	return wire.ErrUnimplemented
}

// judgeLeader is judge for the leader's own commands.
func (x *execution) judgeLeader() wire.ErrCode {
	x.dec.Reset(x.cmd.Body)
	if v, ok := decodeVerdict(x.cmd.Body); ok && x.cmd.Op == wire.OpReconfig {
		x.verdict = v
		return wire.OK
	}
	switch {
	case x.cmd.Op == OpFormat:
		return x.raiseFormat()
	case x.cmd.Op == OpStage && x.format >= FormatRestore:
		return x.dropStaged()
	}
	switch x.cmd.Op {
	case wire.OpCloseSession, wire.OpDeleteContainer, wire.OpReconfig:
	default:
		x.err = &FormatError{What: fmt.Sprintf("command %d of the leader", x.cmd.Op)}
		return wire.ErrSystemError
	}
	x.start()
	switch x.cmd.Op {
	case wire.OpCloseSession:
		return x.expire()
	case wire.OpDeleteContainer:
		return x.reap()
	}
	return x.setMembers()
}

func callerOf(c *Command) znode.Caller {
	return znode.Caller{
		Session: c.Session, Identities: c.Identities, Schemes: c.Flags.Schemes(),
		SkipACL:       c.Flags&SkipACL != 0,
		EnforceQuota:  c.Flags&EnforceQuota != 0,
		ExtendedTypes: c.Flags&TTLEnabled != 0,
	}
}
