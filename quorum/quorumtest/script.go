package quorumtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"

	"holt/quorum"
	"holt/quorum/transport"
)

// RunScript runs the script at path: an ensemble whose members do only what
// they are told. Nothing happens by itself; commands print what comes of them.
//
//	new [voters=3] [learners=0]        found an ensemble, members 1 to n
//	join id=4                          start a member that is not among the founders
//	tick id=1 [n=1]                    let time pass for a member
//	campaign id=1                      try to get elected
//	propose id=1 data=x                a proposal, if it leads
//	read id=1 name=r                   a read barrier
//	transfer id=1 to=2                 hand leadership over
//	change id=1 [add=4] [learner=4] [remove=4] [data=x]
//	write [id=1]                       write what waits to the log, without telling the core
//	report [id=1]                      tell the core what was written
//	persist [id=1]                     write and report
//	apply [id=1]                       apply what waits, and release barriers
//	flush, checkpoint [id=1]           do what was asked for
//	deliver [from=1] [to=2] [drop]     deliver, or drop, the messages on their way now
//	snapshot from=1 to=2 [fail]        carry a snapshot over, or not
//	gone id=1 peer=2                   tell a member that a peer's process has ended
//	settle                             all of the above until nothing is left to do
//	crash id=1 [keep]                  end a member; what was not synced is lost unless keep
//	save id=1                          keep an image of its disk
//	start id=1 [saved] [savedlog]      start it again; with that image, or with the log of it
//	messages                           list the messages on their way
//	status                             one line for each member
//	log id=1                           list a member's log
//
// Without id, from or to a command means all members.
func RunScript(t *testing.T, path string, o Options) {
	s := &script{opts: o.withDefaults()}
	defer func() {
		for _, n := range s.nodes {
			if n.up {
				if err := n.crash(true); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		s.out.Reset()
		s.check.failWith(t, d)
		s.handle(t, d)
		if s.out.Len() == 0 {
			return "ok\n"
		}
		return s.out.String()
	})
}

type script struct {
	opts  Options
	check *checker
	nodes []*scriptNode
	out   strings.Builder
}

type scriptNode struct {
	*node
	join    bool
	written [][]*quorum.Append // not reported
	lead    quorum.Leadership
	members string

	term, vote uint64     // as written last
	saved      *vfs.MemFS // an image of the disk
}

func (c *checker) failWith(t *testing.T, d *datadriven.TestData) {
	if c != nil {
		c.fail = func(format string, args ...any) { d.Fatalf(t, format, args...) }
	}
}

func (s *script) handle(t *testing.T, d *datadriven.TestData) {
	switch d.Cmd {
	case "new":
		s.found(t, d)
	case "join":
		s.add(scanID(t, d, "id", 0), true)
	case "deliver":
		s.deliver(scanID(t, d, "from", 0), scanID(t, d, "to", 0), d.HasArg("drop"))
	case "snapshot":
		s.snapshot(t, d)
	case "settle":
		for i := 0; s.step(); i++ {
			if i > 1000 {
				d.Fatalf(t, "does not settle")
			}
		}
	case "messages":
		for _, n := range s.nodes {
			for _, m := range n.out {
				s.printf("%s", describeMessage(m))
			}
		}
	case "status":
		for _, n := range s.nodes {
			s.status(n)
		}
	default:
		for _, n := range s.which(t, d, scanID(t, d, "id", 0)) {
			s.member(t, d, n)
		}
	}
}

func scanID(t *testing.T, d *datadriven.TestData, key string, def uint64) uint64 {
	d.MaybeScanArgs(t, key, &def)
	return def
}

// which returns the members that run, or the one that is named.
func (s *script) which(t *testing.T, d *datadriven.TestData, id uint64) (nodes []*scriptNode) {
	for _, n := range s.nodes {
		if id == n.id || id == 0 && n.up {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		d.Fatalf(t, "no member %d", id)
	}
	return nodes
}

func (s *script) found(t *testing.T, d *datadriven.TestData) {
	for _, n := range s.nodes {
		if n.up {
			if err := n.crash(true); err != nil {
				t.Error(err)
			}
		}
	}
	s.nodes, s.check = nil, newChecker(nil)
	s.check.failWith(t, d)
	s.opts.Voters, s.opts.Learners = int(scanID(t, d, "voters", 3)), int(scanID(t, d, "learners", 0))
	for i := range s.opts.Voters + s.opts.Learners {
		s.add(uint64(i+1), false)
	}
}

func (s *script) add(id uint64, join bool) {
	n := &scriptNode{node: &node{id: id, opts: &s.opts, check: s.check, disk: vfs.NewCrashableMem()}, join: join}
	s.nodes = append(s.nodes, n)
	s.start(n)
}

func (s *script) start(n *scriptNode) {
	if err := n.start(n.join); err != nil {
		s.printf("%d: does not start: %v", n.id, err)
		return
	}
	n.lead, n.members = quorum.Leadership{}, fmt.Sprint(n.core.Members())
	s.pump(n)
}

// restart starts a member on its disk or, as happens to virtual machines, on an
// older image of it. What the checker says of that is the point.
func (s *script) restart(t *testing.T, d *datadriven.TestData, n *scriptNode) {
	if n.up {
		if err := n.crash(true); err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	switch {
	case d.HasArg("saved"):
		n.disk = n.saved
	case d.HasArg("savedlog"):
		if err := n.disk.RemoveAll("quorum"); err != nil {
			d.Fatalf(t, "%v", err)
		}
		if _, err := vfs.Clone(n.saved, n.disk, "quorum", "quorum"); err != nil {
			d.Fatalf(t, "%v", err)
		}
	default:
		s.start(n)
		return
	}
	s.check.fail = func(format string, args ...any) { s.printf("checker: "+format, args...) }
	s.start(n)
	s.check.failWith(t, d)
}

// pump takes out what a member wants, and prints what has changed.
func (s *script) pump(n *scriptNode) {
	if !n.up {
		return
	}
	err := n.pump()
	if l := n.core.Leadership(); l != n.lead {
		n.lead = l
		switch {
		case l.Self:
			s.printf("%d: leads in term %d", n.id, l.Term)
		case l.Leader != 0:
			s.printf("%d: follows %d in term %d", n.id, l.Leader, l.Term)
		default:
			s.printf("%d: no leader in term %d", n.id, l.Term)
		}
	}
	if m := fmt.Sprint(n.core.Members()); m != n.members {
		n.members = m
		s.printf("%d: members %s", n.id, describeMembers(n.core.Members()))
	}
	if err != nil {
		s.printf("%d: fails: %v", n.id, err)
		if err := n.crash(true); err != nil {
			s.printf("%d: close: %v", n.id, err)
		}
	}
}

// member does a command on one member.
func (s *script) member(t *testing.T, d *datadriven.TestData, n *scriptNode) {
	if !n.up && d.Cmd != "start" {
		d.Fatalf(t, "member %d is down", n.id)
	}
	switch d.Cmd {
	case "start":
		s.restart(t, d, n)
		return
	case "save":
		n.saved = n.disk.CrashClone(vfs.CrashCloneCfg{})
		return
	case "crash":
		if err := n.crash(d.HasArg("keep")); err != nil {
			d.Fatalf(t, "%v", err)
		}
		n.written = nil
		return
	case "log":
		s.log(t, d, n)
		return
	case "tick":
		for range scanID(t, d, "n", 1) {
			n.core.Tick()
			s.pump(n)
		}
	case "campaign":
		n.core.Campaign()
	case "propose":
		var data string
		d.ScanArgs(t, "data", &data)
		n.core.Propose(n.core.Leadership().Term, []byte(data))
	case "read":
		s.read(t, d, n)
	case "transfer":
		n.core.Transfer(scanID(t, d, "to", 0))
	case "change":
		if err := n.core.ProposeChange(scanChange(t, d)); err != nil {
			s.printf("%d: %v", n.id, err)
		}
	case "gone":
		n.core.PeerGone(scanID(t, d, "peer", 0))
	case "write":
		s.write(n)
	case "report":
		s.report(n)
	case "persist":
		s.write(n)
		s.report(n)
	case "apply":
		s.apply(n)
	case "flush":
		s.must(n.doFlush())
	case "checkpoint":
		s.must(n.doCheckpoint())
	default:
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	s.pump(n)
}

func (s *script) must(err error) {
	if err != nil {
		s.printf("error: %v", err)
	}
}

func scanChange(t *testing.T, d *datadriven.TestData) (c quorum.MembershipChange) {
	for _, key := range []string{"add", "learner"} {
		if id := scanID(t, d, key, 0); id != 0 {
			c.Add = append(c.Add, quorum.MemberConfig{ID: id, Addr: fmt.Sprintf("m%d:1", id), Learner: key == "learner"})
		}
	}
	if id := scanID(t, d, "remove", 0); id != 0 {
		c.Remove = []uint64{id}
	}
	var data string
	d.MaybeScanArgs(t, "data", &data)
	c.Data = []byte(data)
	return c
}

func (s *script) read(t *testing.T, d *datadriven.TestData, n *scriptNode) {
	var name string
	d.ScanArgs(t, "name", &name)
	asked := s.check.lastIndex
	n.core.Read(func(err error) {
		s.printf("%d: barrier %s passes at %d (%v)", n.id, name, n.sm.Applied(), err)
		if n.sm.Applied() < asked {
			s.check.fail("barrier %s is stale", name)
		}
	})
}

func (s *script) write(n *scriptNode) {
	for len(n.appends) > 0 {
		jobs, err := n.node.write()
		s.must(err)
		s.must(n.install(jobs))
		n.written = append(n.written, jobs)
		for _, a := range jobs {
			s.printWrite(n, a)
		}
	}
}

func (s *script) report(n *scriptNode) {
	for _, jobs := range n.written {
		s.must(n.appended(jobs))
	}
	n.written = nil
}

func (s *script) apply(n *scriptNode) {
	before := n.sm.Applied()
	for len(n.applies) > 0 {
		s.must(n.node.apply())
	}
	if after := n.sm.Applied(); after > before {
		s.printf("%d: applied up to %d", n.id, after)
	}
	n.release()
}

// deliver takes the messages that are on their way now, encodes and decodes
// them, and steps or drops them.
func (s *script) deliver(from, to uint64, drop bool) (any bool) {
	for _, n := range s.nodes {
		var keep []*raftpb.Message
		var take []*raftpb.Message
		for _, m := range n.out {
			if from != 0 && from != n.id || to != 0 && to != m.GetTo() {
				keep = append(keep, m)
			} else {
				take = append(take, m)
			}
		}
		n.out = keep
		for _, m := range take {
			any = true
			if to := s.node(m.GetTo()); to != nil && to.up && !drop {
				b, err := transport.AppendMessage(nil, m)
				s.must(err)
				got, err := transport.DecodeMessage(b)
				s.must(err)
				to.core.Step(got)
				s.pump(to)
			}
		}
	}
	return any
}

func (s *script) node(id uint64) *scriptNode {
	if i := slices.IndexFunc(s.nodes, func(n *scriptNode) bool { return n.id == id }); i >= 0 {
		return s.nodes[i]
	}
	return nil
}

func (s *script) snapshot(t *testing.T, d *datadriven.TestData) {
	from, to := scanID(t, d, "from", 0), scanID(t, d, "to", 0)
	n := s.node(from)
	i := slices.IndexFunc(n.snapshots, func(m *raftpb.Message) bool { return m.GetTo() == to })
	if i < 0 {
		d.Fatalf(t, "no snapshot from %d to %d", from, to)
	}
	m := n.snapshots[i]
	n.snapshots = slices.Delete(n.snapshots, i, i+1)
	s.carry(n, m, d.HasArg("fail"))
}

func (s *script) carry(n *scriptNode, m *raftpb.Message, fail bool) {
	ok := false
	if to := s.node(m.GetTo()); to != nil && to.up && !fail {
		var err error
		ok, err = to.receive(m, n.node)
		s.must(err)
		s.printf("%d: receives snapshot at %d", to.id, m.GetSnapshot().GetMetadata().GetIndex())
		s.pump(to)
	}
	n.core.SnapshotSent(m.GetTo(), ok)
	s.pump(n)
}

// step does everything that can be done now; false if there was nothing.
func (s *script) step() (any bool) {
	for _, n := range s.nodes {
		if !n.up {
			continue
		}
		any = any || len(n.appends) > 0 || len(n.written) > 0 || len(n.applies) > 0 || n.flush || n.checkpoint || len(n.snapshots) > 0
		s.write(n)
		s.report(n)
		s.pump(n)
		s.apply(n)
		s.pump(n)
		if n.flush {
			s.must(n.doFlush())
		}
		if n.checkpoint {
			s.must(n.doCheckpoint())
		}
		snaps := n.snapshots
		n.snapshots = nil
		for _, m := range snaps {
			s.carry(n, m, false)
		}
		s.pump(n)
	}
	return s.deliver(0, 0, false) || any
}
