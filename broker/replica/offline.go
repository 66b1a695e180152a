package replica

import (
	"cmp"
	"maps"
	"slices"

	"go.uber.org/zap"

	"holt/broker/metadata"
	"holt/broker/partition"
)

// A replica is offline when the log directory that has it failed, at the start or later, and others
// are left: the broker lives, and for this partition it is as good as dead. It stays so until the
// broker starts again, or the partition is deleted, made anew or moved away. Whoever asks for it is
// told KAFKA_STORAGE_ERROR; the registration tells the controller, which has others lead. (KIP-112)

// FailedDir is a log directory that could not be opened.
type FailedDir struct {
	Path string
	Err  error
}

// offline are the replicas that are, with the topics' ids.
type offline map[metadata.TopicPartition]metadata.TopicID

// Offline returns the replicas that are offline, by topic, ascending.
func (s *Set) Offline() map[string][]int32 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := map[string][]int32{}
	for tp := range s.offline {
		all[tp.Topic] = append(all[tp.Topic], tp.Partition)
	}
	for _, partitions := range all {
		slices.Sort(partitions)
	}
	return all
}

func (s *Set) isOffline(tp metadata.TopicPartition) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.offline[tp]
	return ok
}

// DirFailed takes note that a directory has failed: its replicas are offline from now on. When it was
// the last one, the Set has failed. It may be called more than once.
func (s *Set) DirFailed(d *partition.Dir, err error) {
	if !slices.ContainsFunc(s.cfg.Dirs, func(d *partition.Dir) bool { return d.Err() == nil }) {
		s.storageFailed(err)
		return
	}
	s.applying.Lock()
	if s.down[d] {
		s.applying.Unlock()
		return
	}
	s.down[d] = true
	n := 0
	for _, r := range s.all() {
		if r.dir != d {
			continue
		}
		s.mu.Lock()
		s.offline[r.tp] = r.id
		s.mu.Unlock()
		s.forget(r)
		r.resign(func() { r.gone = true })
		n++
	}
	s.applying.Unlock()
	s.log.Error("log directory failed; its replicas are offline", zap.String("path", d.Path()), zap.Int("replicas", n), zap.Error(err))
	s.offlineChanged()
}

func (s *Set) offlineChanged() {
	if s.cfg.OfflineChanged != nil {
		s.cfg.OfflineChanged()
	}
}

// Missing takes what an image assigns to this broker, and no directory has, for offline if a directory
// could not be opened: it may be there. To be called before the first Apply. (Kafka:
// LogManager.getOrCreateLog)
func (s *Set) Missing(image *metadata.Image) {
	if len(s.cfg.FailedDirs) == 0 {
		return
	}
	for t := range image.Topics() {
		for n, p := range t.Partitions {
			tp := metadata.TopicPartition{Topic: t.Name, Partition: int32(n)}
			if !slices.Contains(p.Replicas, s.cfg.Self) || s.lookup(tp.Topic, tp.Partition) != nil {
				continue
			}
			s.mu.Lock()
			s.offline[tp] = t.ID
			s.mu.Unlock()
		}
	}
	for _, d := range s.cfg.FailedDirs {
		s.log.Error("log directory cannot be opened; replicas that are in no other are offline", zap.String("path", d.Path), zap.Error(d.Err))
	}
}

// stayOffline tells whether a partition, as the tree has it now, is offline here. One that is another
// topic's, or is not to be here any more, is so no longer. applying is held.
func (s *Set) stayOffline(c *metadata.PartitionChange) bool {
	tp := metadata.TopicPartition{Topic: c.Topic.Name, Partition: c.Partition}
	s.mu.Lock()
	id, ok := s.offline[tp]
	over := ok && (id != c.Topic.ID && id != (metadata.TopicID{}) || !slices.Contains(c.Is.Replicas, s.cfg.Self))
	if over {
		delete(s.offline, tp)
	}
	s.mu.Unlock()
	if over {
		s.offlineChanged()
	}
	return ok && !over
}

// forgetOffline forgets what was offline of a topic that is gone. applying is held.
func (s *Set) forgetOffline(topic string, id metadata.TopicID) {
	s.mu.Lock()
	before := len(s.offline)
	maps.DeleteFunc(s.offline, func(tp metadata.TopicPartition, of metadata.TopicID) bool { return tp.Topic == topic && of == id })
	changed := len(s.offline) != before
	s.mu.Unlock()
	if changed {
		s.offlineChanged()
	}
}

// adopt takes over a log that a directory has. Two directories have one of the same partition when it
// was offline in the one, and made anew in the other: that waits for the first image.
func (s *Set) adopt(r *replica) {
	if s.lookup(r.tp.Topic, r.tp.Partition) != nil {
		s.twins = append(s.twins, r)
		return
	}
	s.put(r)
}

// settleTwins deletes those of two logs of a partition that are not the topic's, or are older.
func (s *Set) settleTwins(image *metadata.Image) {
	for _, r := range s.twins {
		other := s.lookup(r.tp.Topic, r.tp.Partition)
		if s.preferred(r, other, image) {
			s.put(r)
			r = other
		}
		s.drop(r, "older of two logs in different directories")
	}
	s.twins = nil
}

func (s *Set) preferred(a, b *replica, image *metadata.Image) bool {
	if t := image.Topic(a.tp.Topic); t != nil && a.id != b.id {
		return a.id == t.ID
	}
	return cmp.Or(cmp.Compare(a.log.LatestEpoch(), b.log.LatestEpoch()), cmp.Compare(a.log.EndOffset(), b.log.EndOffset())) > 0
}
