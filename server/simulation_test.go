package server

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"holt/quorum"
	"holt/quorum/quorumtest"
	"holt/wire"
	"holt/znode/znodetest"
)

var (
	simSeed  = flag.Uint64("seed", 0, "simulate this seed only")
	simSeeds = flag.Uint64("seeds", 200, "number of seeds to simulate")
)

// simulated is how long one seed lasts before all is healed.
const simulated = 15 * time.Second

// simReached are the situations that a run of many seeds must have been in.
var simReached = []string{
	"acknowledged", "all crash", "answer lost", "client died", "command ignored", "crash", "disk error", "ephemerals went with a session",
	"leader change", "message lost", "partition", "power loss", "read", "refused", "session expired", "session moved away", "session was gone",
	"reconfig", "reconfig in progress", "reconfig refused", "reconfig without a quorum",
	"snapshot installed", "sync", "truncation",
	"restored", "restore acknowledged", "restore refused", "restore without its operator", "restore with a tree made in advance", "restore without a tree",
	"session came back", "snapshot installed with a staging", "snapshot of another zxid", "staging dropped", "staging replaced",
	"watch fired", "watches set again",
}

// simRarely are those that it takes simMany seeds to be sure of.
var simRarely = []string{"reconfig without its client", "restore lost from sight", "restore with stragglers", "state outlived its entry"}

const simMany = 2000

// TestSimulation runs whole members, but for their sockets, on disks and a network in memory that
// fail as a seed says: crashes of processes and machines, disk errors, partitions, lost and
// overtaking messages, slow disks, members that stand still, changes of membership. Clients write,
// read, watch, sync, move, close and die; operators take snapshots and restore them. What they are told,
// and every state of every member after each entry, restart and snapshot, is compared with that of an oracle
// that carries the log out on plain maps. See also quorumtest, whose checks of Raft's promises hold here too.
func TestSimulation(t *testing.T) {
	abandons(t)
	first, n := uint64(1), *simSeeds
	if *simSeed != 0 {
		first, n = *simSeed, 1
	}
	total := map[string]int{}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for what, times := range simulate(t, seed).Sometimes {
				total[what] += times
			}
		})
	}
	if n < 20 || t.Failed() {
		return
	}
	for _, what := range append(slices.Clone(simReached), simRarely...) {
		t.Logf("%s: %d", what, total[what])
		if total[what] == 0 && (n >= simMany || !slices.Contains(simRarely, what)) {
			t.Errorf("no seed reached: %s", what)
		}
	}
}

// TestSimulationRepeats: a seed is worth something only if it does the same again. Disk errors
// do not repeat exactly, as Pebble writes in the background.
func TestSimulationRepeats(t *testing.T) {
	abandons(t)
	for _, seed := range []uint64{4, 8} {
		var first quorumtest.Result
		for i := range 2 {
			t.Run(fmt.Sprint(seed, "-", i), func(t *testing.T) {
				r := simulate(t, seed)
				if i == 0 {
					first = r
				} else if r.Trace != first.Trace {
					t.Errorf("seed %d: trace %x, then %x", seed, first.Trace, r.Trace)
				}
			})
		}
	}
}

func simulate(t *testing.T, seed uint64) quorumtest.Result {
	t.Helper()
	r, err := trySimulation(t, seed, doctor{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func trySimulation(t *testing.T, seed uint64, d doctor) (quorumtest.Result, error) {
	s := &simulation{doctor: d, w: &quorumtest.World{}, members: map[uint64]*simMember{}, issued: map[wire.Xid]*simOp{}, expelled: map[uint64]bool{}, images: map[string]*simImage{}}
	s.oracle = newOracle(s)
	o := quorumtest.Options{
		Voters: 3, Open: s.openMember, Load: s, World: s.w, DiskErrors: seed%4 != 0,
		// So small that logs are truncated, and members that were away are sent snapshots.
		FlushBytes: 8 << 10, LogBytes: 16 << 10,
	}
	switch {
	case seed%7 == 0:
		o.Voters, o.Learners = 1, 1
	case seed%5 == 0:
		o.Voters = 5
	}
	s.voters = o.Voters
	s.reconfigs = o.Voters > 1 && seed%2 == 0
	s.restores = seed%3 == 0
	o.OnlyNewcomers = s.reconfigs
	return quorumtest.Try(t, seed, simulated, o)
}

// simulation is the load of an ensemble: the members' servers and their clients.
type simulation struct {
	w       *quorumtest.World
	oracle  *oracle
	doctor  doctor
	voters  int
	members map[uint64]*simMember // the latest run of each
	clients []*simClient

	xid          wire.Xid // of the last request; no two clients use the same
	issued       map[wire.Xid]*simOp
	acknowledged wire.Zxid // of the newest write that a client was told of
	orphans      int

	reconfigs bool            // clients change the members
	expelled  map[uint64]bool // members that a client wanted to remove

	restores  bool // operators restore snapshots
	operators []*simOperator
	images    map[string]*simImage // snapshots, by their bytes
}

// simClients is the number of clients at any time.
const simClients = 8

// Begin implements quorumtest.Load.
func (s *simulation) Begin() {
	for i := range simClients {
		c := &simClient{s: s, id: i + 1, timeout: int32(1500 + s.w.Rand().IntN(4000))}
		s.clients = append(s.clients, c)
		s.w.After(c.pause(), c.act)
		s.w.After(c.pause(), c.ping)
	}
	s.beginRestores()
}

// Leadership implements quorumtest.Load.
func (s *simulation) Leadership(member uint64, l quorum.Leadership) { s.members[member].leads(l) }

// Quiet implements quorumtest.Load: every client has made a last write, and the sessions are those
// of the clients, all others have expired; no restore is under way.
func (s *simulation) Quiet() bool {
	if !s.restoresDone() {
		return false
	}
	live := 0
	for _, c := range s.clients {
		if _, ok := s.oracle.sessions[c.session]; !c.done || !ok || c.conn == nil || !c.conn.open {
			return false
		}
		live++
	}
	return live == len(s.oracle.sessions)
}

// End implements quorumtest.Load: all members hold what the oracle holds, to the last node.
func (s *simulation) End() {
	if s.reconfigs {
		s.checkMembers()
	}
	want := s.oracle.tree.Dump()
	for _, id := range s.w.Up() {
		m := s.members[id]
		if m.Applied() != s.oracle.index {
			continue // was removed from the ensemble
		}
		got, err := m.dump()
		if err != nil {
			s.w.Fail("member %d: %v", id, err)
		}
		if got != want {
			s.w.Fail("member %d holds\n%s---\nwant\n%s", id, got, want)
		}
		m.compare("at the end at")
		m.checkLeftovers()
	}
}

func (s *simulation) chance(n int) bool { return s.w.Rand().IntN(n) == 0 }

func (s *simulation) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(s.w.Rand().Int64N(int64(hi-lo)+1))
}

// path is that of a node that may be there.
func (s *simulation) path(c *simClient) string {
	if len(c.made) > 0 && s.chance(2) {
		return c.made[s.w.Rand().IntN(len(c.made))]
	}
	return fmt.Sprintf("/n%d", s.w.Rand().IntN(6))
}

// command makes a write.
func (s *simulation) command(c *simClient) znodetest.Command {
	data := fmt.Appendf(nil, "%d of client %d %0*d", s.xid, c.id, s.w.Rand().IntN(100), 0)
	switch s.w.Rand().IntN(10) {
	case 0, 1:
		return s.create(c, data)
	case 2:
		return znodetest.Command{Op: wire.OpDelete, Path: s.path(c), Version: s.version()}
	case 3:
		return znodetest.Command{Op: wire.OpMulti, Ops: []znodetest.Command{s.child(s.create(c, data), c), s.child(s.set(c, data), c)}}
	}
	return s.set(c, data)
}

// child is an operation of a multi, which has the same caller.
func (s *simulation) child(cmd znodetest.Command, c *simClient) znodetest.Command {
	cmd.By.Session = c.session
	return cmd
}

func (s *simulation) set(c *simClient, data []byte) znodetest.Command {
	return znodetest.Command{Op: wire.OpSetData, Path: s.path(c), Data: data, Version: s.version()}
}

func (s *simulation) version() int32 {
	if s.chance(4) {
		return int32(s.w.Rand().IntN(4))
	}
	return -1
}

func (s *simulation) create(c *simClient, data []byte) znodetest.Command {
	cmd := znodetest.Command{Op: wire.OpCreate2, Path: s.path(c), Data: data, ACL: wire.OpenACL(), TTL: -1}
	switch s.w.Rand().IntN(4) {
	case 0:
		cmd.Flags = int32(wire.ModeEphemeral)
	case 1:
		cmd.Flags, cmd.Path = int32(wire.ModePersistentSequential), cmd.Path+"/s"
	case 2:
		cmd.Flags, cmd.Path = int32(wire.ModeEphemeralSequential), cmd.Path+"/e"
	}
	return cmd
}

// encodeRequest is the record that a client sends.
func encodeRequest(c *znodetest.Command) []byte {
	switch c.Op {
	case wire.OpCloseSession:
		return nil
	case wire.OpReconfig:
		return c.Data
	}
	return requestRecord(c).AppendTo(nil)
}

func requestRecord(c *znodetest.Command) wire.Record {
	switch c.Op {
	case wire.OpCreate2:
		return &wire.CreateRequest{Path: c.Path, Data: c.Data, ACL: c.ACL, Flags: c.Flags}
	case wire.OpDelete:
		return &wire.DeleteRequest{Path: c.Path, Version: c.Version}
	case wire.OpSetData:
		return &wire.SetDataRequest{Path: c.Path, Data: c.Data, Version: c.Version}
	}
	m := &wire.MultiRequest{}
	for i := range c.Ops {
		m.Ops = append(m.Ops, wire.MultiOp{Op: c.Ops[i].Op, Record: requestRecord(&c.Ops[i])})
	}
	return m
}
