package quorumtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"holt/quorum"
	"holt/quorum/storage"
)

// StateMachine is what an ensemble under test applies entries to.
type StateMachine interface {
	quorum.StateMachine
	// Digest of everything up to Applied: equal on members that have applied
	// the same entries, different, as good as always, on others.
	Digest() (index, digest uint64)
	Close() error
}

// Options of an ensemble under test. The zero value means the defaults.
type Options struct {
	// Voters and Learners found the ensemble. Default 3 and 0.
	Voters, Learners int
	// Open opens the state machine of a member. Default: OpenMachine.
	Open func(Seat) (StateMachine, error)
	// Load is what goes on around a simulated ensemble. Default: entries of a few
	// bytes, proposed to whoever leads.
	Load Load
	// World is what the load uses; the simulation fills it in. Needed with a load.
	World *World
	// OnlyNewcomers leaves changes of membership to the load, but for newcomers that become learners, as
	// they do by asking for it.
	OnlyNewcomers bool
	// DiskErrors has disks fail now and then: a member whose disk has failed must
	// do nothing but end, and is started on what is on it.
	DiskErrors bool
	// FlushBytes and LogBytes as in quorum.Config. Defaults 2 KiB and 4 KiB, so
	// that logs are truncated all the time.
	FlushBytes, LogBytes int64
	// Logger receives the cores' lines. Default: none.
	Logger *zap.Logger
}

// Seat is where a state machine is opened.
type Seat struct {
	Member      uint64
	Incarnation uint64 // counts the starts of the member
	Disk        vfs.FS
	Dir         string
}

func (o Options) withDefaults() Options {
	if o.Voters == 0 {
		o.Voters = 3
	}
	if o.Open == nil {
		o.Open = func(s Seat) (StateMachine, error) { return OpenMachine(s.Disk, s.Dir) }
	}
	if o.FlushBytes == 0 {
		o.FlushBytes = 2 << 10
	}
	if o.LogBytes == 0 {
		o.LogBytes = 4 << 10
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

func (o *Options) founders() (members []quorum.MemberConfig) {
	for i := range o.Voters + o.Learners {
		members = append(members, quorum.MemberConfig{ID: uint64(i + 1), Addr: fmt.Sprintf("m%d:1", i+1), Learner: i >= o.Voters})
	}
	return members
}

// node is a member taken apart: its core, its disk, and the jobs the core has
// handed out, done one by one by whoever steps it.
type node struct {
	id    uint64
	opts  *Options
	check *checker

	disk        *vfs.MemFS
	faulty      *faultyDisk // in front of disk
	log         *storage.Log
	sm          StateMachine
	core        *quorum.Core
	incarnation uint64 // grows with each start
	up          bool

	// Jobs handed out and not begun.
	out        []*raftpb.Message
	snapshots  []*raftpb.Message
	appends    []*quorum.Append
	applies    []*quorum.Apply
	reads      []quorum.Read
	flush      bool
	checkpoint bool

	checkpoints   int    // made, for their names
	checkpointDir string // of the last one
	checkpointAt  uint64
	received      int // snapshots, for their names
}

const (
	logDir   = "quorum/log"
	stateDir = "state"
	snapDir  = "quorum/snapshots"
)

// start opens what is on the disk and makes a core of it. join: this is not a
// founder.
func (n *node) start(join bool) (err error) {
	n.incarnation++
	n.faulty = &faultyDisk{}
	disk := errorfs.Wrap(n.disk, n.faulty)
	if n.sm, err = n.opts.Open(Seat{n.id, n.incarnation, disk, stateDir}); err != nil {
		return fmt.Errorf("open state machine: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.sm.Close())
		}
	}()
	n.log, err = storage.Open(logDir, storage.Options{FS: disk, Quiet: true, RecentBytes: 2 << 10, MemTableBytes: 256 << 10})
	if err != nil {
		return err
	}
	if err := n.startOn(join); err != nil {
		return errors.Join(err, n.log.Close())
	}
	n.up = true
	return nil
}

func (n *node) startOn(join bool) (err error) {
	id := storage.Identity{Member: n.id}
	switch {
	case n.log.Founded():
	case join:
		err = quorum.Join(n.log, id)
	default:
		err = quorum.Found(n.log, id, n.opts.founders())
	}
	if err != nil {
		return err
	}
	if in, ok := n.log.PendingInstall(); ok {
		if n.sm.Applied() < in.Index {
			n.check.count("installation repeated")
		}
		if err := quorum.FinishInstall(n.log, n.sm); err != nil {
			return err
		}
	}
	n.check.restarted(n)
	n.core, err = quorum.NewCore(quorum.CoreConfig{
		ID: n.id, Log: n.log, Applied: n.sm.Applied(), Incarnation: n.id<<32 | n.incarnation,
		ElectionTicks: 10, HeartbeatTicks: 1,
		MaxUncommittedBytes: 8 << 10, MaxMessageBytes: 512, MaxInflightBytes: 4 << 10, MaxApplyBytes: 1 << 10, MaxInflight: 8,
		FlushBytes: n.opts.FlushBytes, LogBytes: n.opts.LogBytes, LogBytesMax: 4 * n.opts.LogBytes,
		FlushTicks: 100, HoldTicks: 20,
		Logger: n.opts.Logger.With(zap.Uint64("member", n.id)),
	})
	return err
}

// crash ends the process. The disk keeps all that was written (as when only
// the process dies), or only what was synced.
func (n *node) crash(keepUnsynced bool) error {
	cfg := vfs.CrashCloneCfg{}
	if keepUnsynced {
		cfg = vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}
	}
	return n.crashTo(n.disk.CrashClone(cfg))
}

func (n *node) crashTo(image *vfs.MemFS) error {
	var err error
	if n.faulty.mend() {
		// What is open may hang, and has nothing to say any more.
		go abandon(n.log, n.sm)
	} else {
		err = errors.Join(n.log.Close(), n.sm.Close())
	}
	*n = node{
		id: n.id, opts: n.opts, check: n.check, disk: image, incarnation: n.incarnation,
		checkpoints: n.checkpoints, received: n.received,
	}
	return err
}

// pump takes everything out of the core.
func (n *node) pump() error {
	for n.core.HasReady() {
		rd := n.core.Ready()
		if rd.Leadership != nil {
			n.check.leadership(n, *rd.Leadership)
			if n.opts.Load != nil {
				n.opts.Load.Leadership(n.id, *rd.Leadership)
			}
		}
		n.send(rd.Send)
		n.snapshots = append(n.snapshots, rd.Snapshots...)
		if rd.Append != nil {
			n.check.appending(n, rd.Append)
			n.appends = append(n.appends, rd.Append)
		}
		n.applies = append(n.applies, rd.Apply...)
		n.reads = append(n.reads, rd.Reads...)
		n.flush = n.flush || rd.Flush
		n.checkpoint = n.checkpoint || rd.Checkpoint
		if rd.DropCheckpoint {
			n.checkpointDir, n.checkpointAt = "", 0
		}
		if rd.Truncating() {
			n.check.count("truncation")
		}
		for range rd.Discard {
			n.check.count("snapshot not needed")
		}
	}
	return n.core.Err()
}

func (n *node) send(msgs []*raftpb.Message) {
	for _, m := range msgs {
		n.check.sent(n, m)
	}
	n.out = append(n.out, msgs...)
}

// write begins the jobs that wait, as Member does: together, a snapshot alone.
// They are in the log then. A snapshot is to be taken over by install.
func (n *node) write() (jobs []*quorum.Append, err error) {
	jobs = n.appends
	if i := slices.IndexFunc(jobs, func(a *quorum.Append) bool { return a.Install != nil }); i >= 0 {
		jobs = jobs[:max(i, 1)]
	}
	n.appends = n.appends[len(jobs):]
	writes := make([]storage.Write, len(jobs))
	for i, a := range jobs {
		writes[i] = a.Write
	}
	return jobs, n.log.Write(writes...)
}

// install has the state machine take over the snapshot of a job, if it has
// one, without telling the log.
func (n *node) install(jobs []*quorum.Append) error {
	if jobs[0].Install == nil {
		return nil
	}
	if err := n.sm.Restore(jobs[0].Install.Dir); err != nil {
		return err
	}
	n.check.restored(n)
	return nil
}

// appended reports jobs as durable.
func (n *node) appended(jobs []*quorum.Append) error {
	if jobs[0].Install != nil {
		if err := n.log.EndInstall(); err != nil {
			return err
		}
	}
	for _, a := range jobs {
		n.send(a.Send)
		n.core.Appended(a)
	}
	return nil
}

// apply does one job, or none.
func (n *node) apply() error {
	if len(n.applies) > 0 {
		a := n.applies[0]
		n.applies = n.applies[1:]
		ents := a.Entries
		for len(ents) > 0 && ents[0].Index <= n.sm.Applied() {
			ents = ents[1:]
		}
		for i := range ents {
			n.check.applying(n, &ents[i])
			if err := n.sm.Apply(ents[i : i+1]); err != nil {
				return err
			}
			n.check.applied(n)
		}
		n.core.Applied(a)
	}
	n.release()
	return nil
}

func (n *node) release() {
	rest := n.reads[:0]
	for _, r := range n.reads {
		if r.Index > n.sm.Applied() {
			rest = append(rest, r)
			continue
		}
		for _, f := range r.Done {
			f(nil)
		}
	}
	n.reads = rest
}

func (n *node) doFlush() error {
	n.flush = false
	if err := n.sm.Flush(); err != nil {
		return err
	}
	n.core.Flushed(n.sm.Durable())
	return nil
}

func (n *node) doCheckpoint() error {
	n.checkpoint = false
	n.checkpoints++
	if err := n.disk.MkdirAll(snapDir, 0o700); err != nil {
		return err
	}
	dir := n.disk.PathJoin(snapDir, fmt.Sprintf("out-%d", n.checkpoints))
	index, term, err := n.sm.Checkpoint(dir)
	if err != nil {
		return err
	}
	n.checkpointDir, n.checkpointAt = dir, index
	n.core.Checkpointed(index, term)
	return nil
}

// receive copies a snapshot's files from another member and steps its
// message. False: the sender has none any more.
func (n *node) receive(m *raftpb.Message, from *node) (bool, error) {
	if from.checkpointAt != m.GetSnapshot().GetMetadata().GetIndex() || from.checkpointDir == "" {
		return false, nil
	}
	n.received++
	dir := n.disk.PathJoin(snapDir, fmt.Sprintf("in-%d", n.received))
	if err := storage.MkdirAll(n.disk, snapDir); err != nil {
		return false, err
	}
	if _, err := vfs.Clone(from.disk, n.disk, from.checkpointDir, dir, vfs.CloneSync); err != nil {
		return false, err
	}
	if err := storage.SyncDir(n.disk, snapDir); err != nil {
		return false, err
	}
	n.core.StepSnapshot(m, dir)
	return true, nil
}
