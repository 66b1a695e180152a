package quorum

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// upkeep decides when the state machine is flushed, when the log is truncated
// and when a checkpoint is made for members that fell behind the log.
type upkeep struct {
	ticks      int   // since the start
	flushedAt  int   // ticks
	flushing   bool  // a flush is under way
	sinceFlush int64 // bytes handed to the state machine since the last flush began
	durable    uint64
	truncateTo uint64         // truncation handed out
	planned    uint64         // truncation to be handed out, 0 none
	heard      map[uint64]int // ticks at which this leader last heard from a follower

	wantCheckpoint bool
	checkpointing  bool
	checkpoint     *raftpb.Snapshot // the last one made
	checkpointConf uint64           // index of its configuration
	usedAt         int              // ticks
	sending        int              // snapshots on their way
}

// checkpointIdleTicks is for how long a checkpoint nobody asks for is kept. Its
// files hold disk space that the state machine would have freed.
const checkpointIdleTicks = 600

// snapshot answers Raft, which wants to send one. An older configuration will
// not do: a new member does not find itself in it and ignores the snapshot.
func (u *upkeep) snapshot(first, confIndex uint64) (*raftpb.Snapshot, error) {
	if u.checkpoint != nil && u.checkpoint.GetMetadata().GetIndex() >= max(u.truncateTo, first-1) && u.checkpointConf == confIndex {
		u.usedAt = u.ticks
		return u.checkpoint, nil
	}
	u.wantCheckpoint = true
	return nil, raft.ErrSnapshotTemporarilyUnavailable
}

// installed notes that this member has received a snapshot: what it has is
// durable up to there.
func (u *upkeep) installed(index uint64) {
	u.durable = max(u.durable, index)
	u.sinceFlush = 0
}

func (u *upkeep) tick(c *Core) {
	u.ticks++
	if c.lead.Self {
		c.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
			// A new leader gives everybody time to be heard from.
			if _, known := u.heard[id]; p.RecentActive || !known {
				u.heard[id] = u.ticks
			}
		})
	}
	u.planned = u.truncation(c)
}

func (u *upkeep) ready(c *Core) bool {
	return u.flushDue(c) || u.planned > 0 || u.wantCheckpoint && !u.checkpointing || u.dropDue()
}

func (u *upkeep) take(c *Core, rd *Ready) {
	if u.flushDue(c) {
		rd.Flush, u.flushing = true, true
		u.sinceFlush, u.flushedAt = 0, u.ticks
	}
	if u.planned > 0 {
		c.nextAppend(rd).Truncate = u.planned
		u.truncateTo, u.planned = u.planned, 0
	}
	if u.wantCheckpoint && !u.checkpointing {
		u.wantCheckpoint, u.checkpointing = false, true
		rd.Checkpoint = true
	}
	if u.dropDue() {
		u.checkpoint = nil
		rd.DropCheckpoint = true
	}
}

func (u *upkeep) flushDue(c *Core) bool {
	if u.flushing || u.sinceFlush == 0 {
		return false
	}
	late := c.cfg.FlushTicks > 0 && u.ticks-u.flushedAt >= c.cfg.FlushTicks
	return u.sinceFlush >= c.cfg.FlushBytes || late
}

// Flushed reports the end of a flush, and what is durable now.
func (c *Core) Flushed(durable uint64) {
	c.upkeep.flushing = false
	c.upkeep.durable = max(c.upkeep.durable, durable)
	c.upkeep.planned = c.upkeep.truncation(c)
}

// Checkpointed reports a checkpoint. It is kept until Ready says otherwise or
// the next one is made.
func (c *Core) Checkpointed(index, term uint64) {
	c.upkeep.checkpointing = false
	conf, ok := c.log.ConfAt(index)
	if !ok {
		// A snapshot was installed meanwhile, past the checkpoint.
		return
	}
	c.upkeep.usedAt = c.upkeep.ticks
	c.upkeep.checkpointConf = conf.Index
	c.upkeep.checkpoint = &raftpb.Snapshot{
		Data:     conf.Members,
		Metadata: &raftpb.SnapshotMetadata{ConfState: conf.State, Index: new(index), Term: new(term)},
	}
}

// SnapshotSent reports how the sending of a snapshot ended.
func (c *Core) SnapshotSent(to uint64, ok bool) {
	defer c.guard("snapshot sent")
	c.upkeep.sending--
	c.upkeep.usedAt = c.upkeep.ticks
	status := raft.SnapshotFinish
	if !ok {
		status = raft.SnapshotFailure
	}
	c.rn.ReportSnapshot(to, status)
}

func (u *upkeep) dropDue() bool {
	return u.checkpoint != nil && u.sending == 0 && u.ticks-u.usedAt >= checkpointIdleTicks
}

// truncation returns the index to which the log is to be truncated now, 0 for
// not at all. Half of the permitted size is kept, for followers that were away
// for a moment.
func (u *upkeep) truncation(c *Core) uint64 {
	size := c.log.Bytes()
	if size < c.cfg.LogBytes {
		return 0
	}
	first, _ := c.log.FirstIndex()
	last, _ := c.log.LastIndex()
	if first > last || u.truncateTo >= first {
		return 0 // the last one is not done yet
	}
	excess := (last - first + 1) * uint64(size-c.cfg.LogBytes/2) / uint64(size)
	to := min(first-1+excess, u.durable, c.jobs.applied, c.hard.Commit)
	if size < c.cfg.LogBytesMax {
		to = min(to, u.needed(c))
	}
	// A truncation costs a little; one entry at a time would not pay.
	if to < first || to-first+1 < (last-first+1)/8 {
		return 0
	}
	return to
}

// needed is the index up to which nobody needs the log whom this leader hears
// from, or did until a short time ago.
func (u *upkeep) needed(c *Core) uint64 {
	to := uint64(1<<64 - 1)
	if u.sending > 0 && u.checkpoint != nil {
		to = u.checkpoint.GetMetadata().GetIndex()
	}
	if !c.lead.Self {
		return to
	}
	c.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		at, known := u.heard[id]
		lost := known && u.ticks-at > c.cfg.HoldTicks
		if id != c.cfg.ID && !lost && p.State != tracker.StateSnapshot {
			to = min(to, p.Match)
		}
	})
	return to
}
