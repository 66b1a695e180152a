package quorum

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"holt/quorum/storage"
	"holt/quorum/transport"
)

// A member that fell behind the log is sent a checkpoint of the state machine:
//
//	leader                                        follower
//	Raft wants a snapshot
//	  ─▶ StateMachine.Checkpoint into out-N
//	  ─▶ Core.Checkpointed; Raft sends MsgSnap
//	  ─▶ files, then message  ═══════════════════▶ in-<id>, synced
//	                                                ─▶ Core.StepSnapshot
//	                                                ─▶ log: begins after it, "installing"   (one batch, synced)
//	                                                ─▶ StateMachine.Restore
//	                                                ─▶ log: "installing" removed
//	  ◀════════════════ MsgAppResp: Raft goes on ══
//
// A crash before the batch leaves the old log and state, and files that are
// removed at the next start. After it, the next start finishes the installation.
// Both directories hold nothing else.
const snapshotsDir = "snapshots"

// checkpoint is a set of files that may be on its way to followers. Its fields
// are guarded by Member.snapshots.mu.
type checkpoint struct {
	dir     string
	id      [16]byte
	index   uint64
	senders int
	dropped bool // remove it when nobody sends it any more
}

func (m *Member) snapshotPath(name string) string {
	return m.cfg.FS.PathJoin(m.cfg.Dir, snapshotsDir, name)
}

// openSnapshots prepares the directory and removes what a crash left, except
// the one to be installed.
func (m *Member) openSnapshots(keep string) error {
	vol := m.cfg.FS
	root := m.snapshotPath("")
	if err := storage.MkdirAll(vol, root); err != nil {
		return err
	}
	names, err := vol.List(root)
	if err != nil {
		return fmt.Errorf("list %s: %w", root, err)
	}
	for _, name := range names {
		dir := m.snapshotPath(name)
		if dir == keep || !strings.HasPrefix(name, "in-") && !strings.HasPrefix(name, "out-") {
			continue
		}
		if err := vol.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return nil
}

// makeCheckpoint runs on the state machine's goroutine.
func (m *Member) makeCheckpoint() error {
	s := &m.snapshots
	s.mu.Lock()
	s.made++
	cp := &checkpoint{dir: m.snapshotPath(fmt.Sprintf("out-%d", s.made))}
	s.mu.Unlock()
	if _, err := rand.Read(cp.id[:]); err != nil {
		return fmt.Errorf("draw snapshot id: %w", err)
	}
	index, term, err := m.cfg.StateMachine.Checkpoint(cp.dir)
	if err != nil {
		return fmt.Errorf("checkpoint state machine into %s: %w", cp.dir, err)
	}
	cp.index = index
	m.zlog.Info("checkpoint made", zap.Uint64("index", index))
	m.dropCheckpoint()
	s.mu.Lock()
	s.current = cp
	s.mu.Unlock()
	handler{m}.call(func(c *Core) { c.Checkpointed(index, term) })
	return nil
}

// dropCheckpoint removes the current checkpoint, now or after the last sender.
func (m *Member) dropCheckpoint() {
	s := &m.snapshots
	s.mu.Lock()
	cp := s.current
	s.current = nil
	unused := cp != nil && cp.senders == 0
	if cp != nil {
		cp.dropped = true
	}
	s.mu.Unlock()
	if unused {
		m.discard(cp.dir)
	}
}

// discard removes a directory beside everything else. What cannot be removed
// is removed at the next start.
func (m *Member) discard(dir string) {
	m.upkeep.put(func() {
		if err := m.cfg.FS.RemoveAll(dir); err != nil {
			m.zlog.Warn("remove snapshot", zap.String("path", dir), zap.Error(err))
		}
	})
}

// sendSnapshot starts sending. Raft sends at most one to each peer.
func (m *Member) sendSnapshot(msg *raftpb.Message) {
	s := &m.snapshots
	s.mu.Lock()
	cp := s.current
	if cp != nil && cp.index != msg.GetSnapshot().GetMetadata().GetIndex() {
		cp = nil // made meanwhile; Raft will ask again
	}
	if cp != nil {
		cp.senders++
	}
	s.mu.Unlock()
	m.wg.Go(func() {
		err := errors.New("checkpoint is gone")
		if cp != nil {
			err = m.transport.SendSnapshot(s.ctx, msg.GetTo(), transport.Snapshot{
				Message: msg, ID: cp.id, FS: m.cfg.FS, Dir: cp.dir,
			}, s.limit)
			m.releaseCheckpoint(cp)
		}
		m.snapshotSent(msg, err)
	})
}

func (m *Member) releaseCheckpoint(cp *checkpoint) {
	s := &m.snapshots
	s.mu.Lock()
	cp.senders--
	unused := cp.dropped && cp.senders == 0
	s.mu.Unlock()
	if unused {
		m.discard(cp.dir)
	}
}

func (m *Member) snapshotSent(msg *raftpb.Message, err error) {
	to, index := msg.GetTo(), msg.GetSnapshot().GetMetadata().GetIndex()
	if err != nil {
		m.metrics.SnapshotsFailed.Inc()
		m.zlog.Warn("snapshot not sent", zap.Uint64("peer", to), zap.Uint64("index", index), zap.Error(err))
	} else {
		m.metrics.SnapshotsSent.Inc()
		m.zlog.Info("snapshot sent", zap.Uint64("peer", to), zap.Uint64("index", index))
	}
	handler{m}.call(func(c *Core) { c.SnapshotSent(to, err == nil) })
}

// receiveSnapshot runs on the connection's goroutine. Its disk errors end the
// member: after a failed fsync the files cannot be trusted, and a retry would find
// them complete.
func (m *Member) receiveSnapshot(from uint64, s *transport.Stream) {
	rc, err := s.Receive(m.cfg.FS, m.snapshotPath(""))
	if disk := (*transport.DiskError)(nil); errors.As(err, &disk) {
		m.fail(err)
		return
	}
	if err != nil {
		m.zlog.Warn("snapshot not received", zap.Uint64("peer", from), zap.Error(err))
		return
	}
	m.zlog.Info("snapshot received", zap.Uint64("peer", from),
		zap.Uint64("index", rc.Message.GetSnapshot().GetMetadata().GetIndex()))
	if !m.do(func(c *Core) { c.StepSnapshot(rc.Message, rc.Dir) }) {
		return
	}
	if err := s.Accept(); err != nil {
		m.zlog.Debug("accept snapshot", zap.Error(err)) // Raft's answer tells the leader, too
	}
}
