package replica

import (
	"slices"
	"sync"

	"go.uber.org/zap"

	"holt/broker/metadata"
	"holt/broker/partition"
)

// Apply follows the tree: topics gone are deleted, partitions assigned here get logs, roles and ISRs
// change, brokers come and go. It returns when all that is so; roles change between requests,
// never within one. It is called by one goroutine, in order.
func (s *Set) Apply(d *metadata.Delta) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.image.Store(d.Image)
	for _, t := range d.Topics {
		if t.Was != nil && (t.Is == nil || t.Replaced()) {
			s.dropTopic(t.Name, func(r *replica) bool { return r.id == t.Was.ID })
			s.forgetOffline(t.Name, t.Was.ID)
		}
	}
	if !s.stale {
		s.stale = true
		s.throttleRates(d.Image)
		s.settleTwins(d.Image)
		s.dropStale(d.Image)
	}
	s.applyConfigs(d)
	s.applyBrokers(d)
	s.applyPartitions(d)
	s.follow.wake()
	if s.begun.Swap(false) {
		s.sessions.hurryFollowers()
	}
}

// Registered says that this broker has registered, and with which epoch. What the tree said of it
// before was about a former life, so that it leads nothing by it.
func (s *Set) Registered(epoch int64) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.epoch.Store(epoch)
	image := s.image.Load()
	if image == nil {
		return
	}
	for _, r := range s.all() {
		if t := image.Topic(r.tp.Topic); t != nil && t.ID == r.id {
			if p := t.Partition(r.tp.Partition); p != nil {
				r.apply(p, image)
			}
		}
	}
	s.follow.wake()
}

// dropTopic deletes a topic's replicas that match.
func (s *Set) dropTopic(name string, match func(*replica) bool) {
	for _, r := range s.of(name) {
		if match(r) {
			s.drop(r, "topic is deleted")
		}
	}
}

// dropStale deletes what was left in the directories of topics that were deleted, or made anew, or
// moved away while this broker was not there.
func (s *Set) dropStale(image *metadata.Image) {
	for _, r := range s.all() {
		t := image.Topic(r.tp.Topic)
		switch p := (*metadata.Partition)(nil); {
		case t == nil || t.ID != r.id && r.id != (metadata.TopicID{}):
			s.drop(r, "directory of a topic that was deleted meanwhile")
		default:
			if p = t.Partition(r.tp.Partition); p == nil || !slices.Contains(p.Replicas, s.cfg.Self) {
				s.drop(r, "directory of a replica that was moved away meanwhile")
			}
		}
	}
}

// drop deletes a replica and its log.
func (s *Set) drop(r *replica, why string) {
	r.resign(func() { r.gone = true })
	s.forget(r)
	r.logger().Info("replica deleted", zap.String("why", why))
	if err := r.dir.Delete(r.log); err != nil {
		r.broken(err)
	}
}

func (s *Set) applyConfigs(d *metadata.Delta) {
	for _, e := range d.Configs {
		switch e.Kind() {
		case metadata.TopicKind:
			c := s.cfg.Topic(d.Image, e.Name())
			replicas := s.of(e.Name())
			for _, r := range replicas {
				r.configure(c)
			}
			s.throttleTopic(d.Image, e.Name(), replicas)
		case metadata.BrokerKind: // what topics do not set themselves
			if e != metadata.BrokerEntity(s.cfg.Self) && e != metadata.DefaultBrokerEntity() {
				continue
			}
			s.throttleRates(d.Image)
			for _, name := range s.topicNames() {
				c := s.cfg.Topic(d.Image, name)
				for _, r := range s.of(name) {
					r.configure(c)
				}
			}
		}
	}
}

func (s *Set) topicNames() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for name := range s.topics {
		names = append(names, name)
	}
	return names
}

// configure gives the log and the leader a topic's settings.
func (r *replica) configure(c partition.Config) {
	r.log.SetConfig(c)
	r.reconsider(func(core *core) bool {
		core.minISR = c.MinISR
		return core.advance(r.set.now())
	})
}

// applyBrokers tells leaders which followers live, and in which life.
func (s *Set) applyBrokers(d *metadata.Delta) {
	if len(d.Brokers) == 0 {
		return
	}
	all := s.all()
	for _, b := range d.Brokers {
		if b.ID == s.cfg.Self {
			continue
		}
		for _, r := range all {
			life := livesOf(d.Image, r.tp)(b.ID)
			r.reconsider(func(c *core) bool {
				c.broker(b.ID, life)
				return c.advance(s.now()) // one that is gone does not hold it back any more
			})
		}
	}
}

// appliers is how many partitions are changed at a time: new ones make directories.
const appliers = 8

func (s *Set) applyPartitions(d *metadata.Delta) {
	work := make(chan metadata.PartitionChange)
	var wg sync.WaitGroup
	for range min(appliers, len(d.Partitions)) {
		wg.Go(func() {
			for p := range work {
				s.applyPartition(p, d.Image)
			}
		})
	}
	for _, p := range d.Partitions {
		work <- p
	}
	close(work)
	wg.Wait()
}

func (s *Set) applyPartition(c metadata.PartitionChange, image *metadata.Image) {
	if s.stayOffline(&c) {
		return
	}
	r := s.lookup(c.Topic.Name, c.Partition)
	if r != nil && r.id != c.Topic.ID {
		if r.id != (metadata.TopicID{}) || c.Topic.ID == (metadata.TopicID{}) {
			s.drop(r, "another topic of the same name")
			r = nil
		}
	}
	if !slices.Contains(c.Is.Replicas, s.cfg.Self) {
		if r != nil {
			s.drop(r, "moved to other brokers")
		}
		return
	}
	if r == nil {
		if r = s.create(c, image); r == nil {
			return
		}
	}
	r.apply(c.Is, image)
}

// create makes the log of a partition; nil if that fails, or if the topic has no id yet.
func (s *Set) create(c metadata.PartitionChange, image *metadata.Image) *replica {
	if c.Topic.ID == (metadata.TopicID{}) {
		return nil // the controller gives it one
	}
	tp := metadata.TopicPartition{Topic: c.Topic.Name, Partition: c.Partition}
	d := s.choose(tp)
	if d == nil {
		return nil
	}
	defer s.placed(d)
	l, err := d.Create(partition.Name{Topic: c.Topic.Name, Partition: c.Partition}, c.Topic.ID, s.cfg.Topic(image, c.Topic.Name))
	if err != nil {
		s.log.Error("log is not made", zap.String("topic", c.Topic.Name), zap.Int32("partition", c.Partition), zap.Error(err))
		if d.Err() == nil {
			s.storageFailed(err) // not the disk's fault
			return nil
		}
		return s.create(c, image) // in another directory, if there is one
	}
	r := newReplica(s, d, l)
	s.throttleTopic(image, c.Topic.Name, []*replica{r})
	s.put(r)
	return r
}
