package replica

import (
	"slices"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/partition"
)

// Place asks for a replica to be in a log directory. One that is not here yet (REPLICA_NOT_AVAILABLE) will be made
// there, if the tree assigns it to this broker while both live. One that is in another directory stays where it is
// (UNSUPPORTED_VERSION): moving is left out. (Kafka: ReplicaManager.alterReplicaLogDirs)
func (s *Set) Place(tp metadata.TopicPartition, path string) kerror.Code {
	i := slices.IndexFunc(s.cfg.Dirs, func(d *partition.Dir) bool { return d.Path() == path })
	image := s.image.Load()
	switch {
	case slices.ContainsFunc(s.cfg.FailedDirs, func(d FailedDir) bool { return d.Path == path }):
		return kerror.KafkaStorageError
	case i < 0:
		return kerror.LogDirNotFound
	case s.cfg.Dirs[i].Err() != nil || s.isOffline(tp):
		return kerror.KafkaStorageError
	case image == nil || image.Partition(tp.Topic, tp.Partition) == nil:
		return kerror.UnknownTopicOrPartition
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := s.topics[tp.Topic][tp.Partition]; {
	case r == nil:
		s.wished[tp] = s.cfg.Dirs[i]
		return kerror.ReplicaNotAvailable
	case r.dir != s.cfg.Dirs[i]:
		return kerror.UnsupportedVersion
	}
	return kerror.OK
}

// choose is the directory for a new log, of which there is one more until placed: that which was asked for, else the
// emptiest; nil if all have failed.
func (s *Set) choose(tp metadata.TopicPartition) *partition.Dir {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.wished[tp]
	delete(s.wished, tp)
	if d == nil || d.Err() != nil {
		d = s.emptiestLocked()
	}
	if d != nil {
		s.placing[d]++
	}
	return d
}

// emptiestLocked is the directory with the fewest logs, with those that are being made there.
func (s *Set) emptiestLocked() *partition.Dir {
	var best *partition.Dir
	least := 0
	for _, d := range s.cfg.Dirs {
		if d.Err() != nil {
			continue
		}
		if n := d.Len() + s.placing[d]; best == nil || n < least {
			best, least = d, n
		}
	}
	return best
}

func (s *Set) placed(d *partition.Dir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placing[d]--
}
