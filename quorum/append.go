package quorum

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"holt/quorum/storage"
)

// runAppend owns writing to the log. All jobs that wait make one batch with one
// fsync; meanwhile the next ones collect. What a job promises is sent from here,
// without a detour over the loop. Bound of the queue: Raft's flow control (what a
// follower may be sent, what a leader may have unsaved).
func (m *Member) runAppend() {
	defer close(m.written)
	var batch []*Append
	var writes []storage.Write
	for ok := true; ok; {
		batch, ok = m.appends.take(batch)
		for rest := batch; len(rest) > 0; {
			n := groupLen(rest)
			writes = writes[:0]
			for _, a := range rest[:n] {
				writes = append(writes, a.Write)
			}
			if err := m.writeLog(writes, rest[:n]); err != nil {
				m.fail(err)
				return
			}
			rest = rest[n:]
		}
		clear(writes)
	}
}

// groupLen is how many jobs can be written together: a snapshot stands alone,
// since the state machine takes it over before anything is said.
func groupLen(jobs []*Append) int {
	for i, a := range jobs {
		if a.Install != nil {
			return max(i, 1)
		}
	}
	return len(jobs)
}

func (m *Member) writeLog(writes []storage.Write, jobs []*Append) error {
	start := m.now()
	if err := m.log.Write(writes...); err != nil {
		return err
	}
	now := m.now()
	m.measure(writes, now-start)
	for _, a := range jobs {
		if n := len(a.Entries); n > 0 {
			m.stages.durable(&m.metrics, a.Entries[n-1].GetIndex(), a.handed, now)
		}
	}
	if in := jobs[0].Install; in != nil {
		if err := m.install(*in); err != nil {
			return err
		}
	}
	m.sendPromised(jobs)
	for _, a := range jobs {
		if a.Proposals > 0 {
			m.proposer.saved(a.Term, a.Proposals)
		}
	}
	m.in.add(func(ev *events) { ev.appended = append(ev.appended, jobs...) })
	return nil
}

// sendPromised sends what jobs that were written together promised.
func (m *Member) sendPromised(jobs []*Append) {
	msgs := jobs[0].Send
	for _, a := range jobs[1:] {
		msgs = append(msgs, a.Send...)
	}
	if len(jobs) > 1 {
		msgs = withoutEarlierAcks(msgs)
	}
	if len(msgs) > 0 {
		m.transport.SendRaft(msgs)
	}
}

// withoutEarlierAcks leaves out acknowledgements of entries that a later one covers.
func withoutEarlierAcks(msgs []*raftpb.Message) []*raftpb.Message {
	isAck := func(m *raftpb.Message) bool { return m.GetType() == raftpb.MsgAppResp && !m.GetReject() }
	return slices.DeleteFunc(msgs, func(m *raftpb.Message) bool {
		return isAck(m) && slices.ContainsFunc(msgs, func(l *raftpb.Message) bool {
			return isAck(l) && l.GetTo() == m.GetTo() && l.GetTerm() == m.GetTerm() && l.GetIndex() > m.GetIndex()
		})
	})
}

func (m *Member) measure(writes []storage.Write, took time.Duration) {
	entries, bytes := 0, 0
	for i := range writes {
		entries += len(writes[i].Entries)
		for _, e := range writes[i].Entries {
			bytes += len(e.GetData())
		}
		if writes[i].Truncate > 0 {
			m.metrics.Truncations.Inc()
		}
	}
	if took > m.cfg.SlowLogWrite {
		m.metrics.SlowLogWrites.Inc()
		// The words are ZooKeeper's: operators look for them.
		m.zlog.Warn("fsync-ing the write ahead log took too long, which slows writes and elections: look at the disk", zap.Duration("took", took), zap.Int("bytes", bytes))
	}
	if entries > 0 {
		m.metrics.LogWriteNanos.Observe(int64(took))
		m.metrics.LogWriteEntries.Observe(int64(entries))
		m.metrics.LogWriteBytes.Observe(int64(bytes))
	}
}

// install has the state machine take a snapshot over. Other appends wait: what
// they promise may rest on it.
func (m *Member) install(in storage.Install) error {
	done := make(chan error, 1)
	m.applies.put(applyTask{restore: in.Dir, restored: done})
	if err := <-done; err != nil {
		return err
	}
	if err := m.log.EndInstall(); err != nil {
		return err
	}
	m.metrics.SnapshotsInstalled.Inc()
	m.zlog.Info("snapshot installed", zap.Uint64("index", in.Index))
	m.discard(in.Dir)
	return nil
}
