package replica

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/partition"
	"holt/broker/protocol"
)

// Peers is how followers reach leaders; peer.Client is one.
type Peers interface {
	// Fetch sends a fetch request to a broker and decodes the answer into resp, which is valid until
	// release is called.
	Fetch(ctx context.Context, broker int32, req *protocol.FetchRequest, resp *protocol.FetchResponse) (release func(), err error)
}

// ISRs is where leaders write their partitions' states; metadata.Client is one.
type ISRs interface {
	// SetPartitionState is as metadata.Client has it.
	SetPartitionState(ctx context.Context, tp metadata.TopicPartition, s metadata.PartitionState, version int32) (int32, error)
	// NotifyISR tells tools which states were changed.
	NotifyISR(ctx context.Context, tps []metadata.TopicPartition) error
}

// Config is what a Set is made of. Self, Dirs, ISRs, Peers and Topic are required; the zero value of
// any other field is its default.
type Config struct {
	// Self is this broker's id.
	Self int32
	// Dirs hold the logs. The Set closes them. FailedDirs could not be opened.
	Dirs       []*partition.Dir
	FailedDirs []FailedDir
	// OfflineChanged, if set, is called when other replicas are offline than before; see
	// Set.Offline. It must not wait.
	OfflineChanged func()
	// Topic returns a topic's settings.
	Topic func(image *metadata.Image, topic string) partition.Config
	ISRs  ISRs
	Peers Peers
	// Throttled, if set, says which of a topic's partitions are replicated slowly, where this broker leads and
	// where it follows [leader.replication.throttled.replicas, follower.replication.throttled.replicas], and
	// ThrottleRates how many bytes a second that may be [leader.replication.throttled.rate,
	// follower.replication.throttled.rate]; the greatest number is no bound. See throttle.
	Throttled     func(image *metadata.Image, topic string) (serving, copying func(partition int32) bool)
	ThrottleRates func(image *metadata.Image) (serving, copying int64)
	// Logger takes what operators read; none if nil.
	Logger *zap.Logger

	// RackAware sends consumers to followers of their rack [replica.selector.class].
	RackAware bool
	// LagMax is how long a follower may lag before it leaves the ISR; 30 s [replica.lag.time.max.ms].
	LagMax time.Duration
	// FlushOnAck acknowledges only what is on stable storage [log.flush.on.ack].
	FlushOnAck bool
	// FetchBytesMax bounds the records of one answer; 55 MiB [fetch.max.bytes].
	FetchBytesMax int
	// SessionsMax bounds fetch sessions; 1000 [max.incremental.fetch.session.cache.slots].
	SessionsMax int

	// The rest is about this broker as a follower. FetchWait (500 ms, replica.fetch.wait.max.ms) and
	// FetchMinBytes (1, replica.fetch.min.bytes) say how long a leader with nothing new may wait,
	// PartitionBytesMax (1 MiB, replica.fetch.max.bytes) and ResponseBytesMax (10 MiB,
	// replica.fetch.response.max.bytes) bound its answers, FetchBackoff (1 s, replica.fetch.backoff.ms)
	// is the pause after one that failed, or the leader of a partition that did.
	FetchWait         time.Duration
	FetchMinBytes     int
	PartitionBytesMax int
	ResponseBytesMax  int
	FetchBackoff      time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	orElse(&c.LagMax, 30*time.Second)
	orElse(&c.FetchBytesMax, 55<<20)
	orElse(&c.SessionsMax, 1000)
	orElse(&c.FetchWait, 500*time.Millisecond)
	orElse(&c.FetchMinBytes, 1)
	orElse(&c.PartitionBytesMax, 1<<20)
	orElse(&c.ResponseBytesMax, 10<<20)
	orElse(&c.FetchBackoff, time.Second)
	return c
}

func orElse[T int | time.Duration](v *T, fallback T) {
	if *v == 0 {
		*v = fallback
	}
}

// Set is all replicas of one broker. Its methods may be called from any goroutine, but for Apply and
// OnLeader.
type Set struct {
	cfg     Config
	log     *zap.Logger
	began   time.Time
	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	wg      sync.WaitGroup
	metrics Metrics

	sessions sessions
	isrs     isrQueue
	follow   fetchers

	// epoch is the broker's, 0 while it is not registered.
	epoch   atomic.Int64
	drained atomic.Bool
	retired atomic.Bool // nothing is fetched any more
	begun   atomic.Bool // a leadership has begun since followers were told last
	failed  failure

	serving, copying throttle // as a leader, as a follower

	// applying is held while roles change: by Apply, and by Registered, which does it again.
	applying sync.Mutex
	leaders  map[string]func(partition, epoch int32, gained bool)
	stale    bool                    // directories of deleted topics have been looked for
	twins    []*replica              // whose partition another directory has too, until then
	down     map[*partition.Dir]bool // have failed

	image atomic.Pointer[metadata.Image] // the newest one applied; nil before the first

	mu      sync.RWMutex // guards what follows; leaf
	topics  map[string]map[int32]*replica
	offline offline
	placing map[*partition.Dir]int                     // logs that are being made
	wished  map[metadata.TopicPartition]*partition.Dir // where logs that are not here yet are to be made
}

// failure tells once that storage has failed.
type failure struct {
	once sync.Once
	done chan struct{}
	err  error
}

// Open takes over the logs in the directories. Nothing is led or followed before Apply.
func Open(cfg Config) *Set {
	cfg = cfg.withDefaults()
	s := &Set{
		cfg: cfg, log: cfg.Logger.Named("replica"), began: time.Now(),
		leaders: map[string]func(int32, int32, bool){}, topics: map[string]map[int32]*replica{}, offline: offline{}, placing: map[*partition.Dir]int{},
		wished: map[metadata.TopicPartition]*partition.Dir{},
		down:   map[*partition.Dir]bool{},
	}
	s.failed.done = make(chan struct{})
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.sessions.init(cfg.SessionsMax)
	s.isrs.init(s)
	s.follow.init(s)
	s.serving.init()
	s.copying.init()
	for _, d := range cfg.Dirs {
		for _, l := range d.Logs() {
			s.adopt(newReplica(s, d, l))
		}
		s.hardenFound(d)
	}
	for _, d := range cfg.Dirs {
		if err := d.Err(); err != nil {
			s.DirFailed(d, err)
		}
	}
	s.wg.Go(s.scanLagging)
	return s
}

// hardenFound makes durable what logs were found with after a crash, where only that counts: nobody
// would ask for it before the next append, and until then a leader could not commit it, while a follower
// would say that it has it.
func (s *Set) hardenFound(d *partition.Dir) {
	if !s.cfg.FlushOnAck {
		return
	}
	for _, l := range d.Logs() {
		if l.FlushedOffset() < l.EndOffset() && d.Err() == nil {
			if err := l.Flush(); err != nil {
				s.log.Error("log cannot be made durable", zap.Stringer("partition", l.Name()), zap.Error(err)) // d.Err tells
			}
		}
	}
}

// now is the monotonic time that cores go by.
func (s *Set) now() instant { return instant(time.Since(s.began)) }

// OnLeader has f told when this broker begins (gained) or ends to lead partitions of a topic. It is
// called from within Apply, in order. To be called before the first Apply.
func (s *Set) OnLeader(topic string, f func(partition, epoch int32, gained bool)) {
	s.leaders[topic] = f
}

// Failed is closed when all log directories have failed: the broker has to stop. Err says why then.
func (s *Set) Failed() <-chan struct{} { return s.failed.done }

// Err is why the storage has failed, nil if it has not.
func (s *Set) Err() error {
	select {
	case <-s.failed.done:
		return s.failed.err
	default:
		return nil
	}
}

func (s *Set) storageFailed(err error) {
	s.failed.once.Do(func() {
		s.failed.err = err
		close(s.failed.done)
		s.log.Error("no log directory is left; the broker has to stop", zap.Error(err))
	})
}

func (s *Set) put(r *replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byPartition := s.topics[r.tp.Topic]
	if byPartition == nil {
		byPartition = map[int32]*replica{}
		s.topics[r.tp.Topic] = byPartition
	}
	byPartition[r.tp.Partition] = r
}

func (s *Set) forget(r *replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if byPartition := s.topics[r.tp.Topic]; byPartition[r.tp.Partition] == r {
		delete(byPartition, r.tp.Partition)
		if len(byPartition) == 0 {
			delete(s.topics, r.tp.Topic)
		}
	}
}

func (s *Set) lookup(topic string, partition int32) *replica {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.topics[topic][partition]
}

// find returns a replica, or the code for a partition that is not here.
func (s *Set) find(tp metadata.TopicPartition) (*replica, kerror.Code) {
	if r := s.lookup(tp.Topic, tp.Partition); r != nil {
		return r, kerror.OK
	}
	if s.isOffline(tp) {
		return nil, kerror.KafkaStorageError
	}
	if image := s.image.Load(); image != nil && image.Partition(tp.Topic, tp.Partition) != nil {
		return nil, kerror.NotLeaderOrFollower
	}
	return nil, kerror.UnknownTopicOrPartition
}

// all returns the replicas in no order.
func (s *Set) all() []*replica {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*replica
	for _, byPartition := range s.topics {
		for _, r := range byPartition {
			all = append(all, r)
		}
	}
	return all
}

// of returns the replicas of a topic in no order.
func (s *Set) of(topic string) []*replica {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*replica
	for _, r := range s.topics[topic] {
		all = append(all, r)
	}
	return all
}

// Retire has this broker follow nobody any more: it is about to stop, and what it fetches would take
// it back into ISRs out of which the controller has taken it.
func (s *Set) Retire() { s.retired.Store(true) }

// Drain answers whoever waits, and lets nobody wait from then on.
func (s *Set) Drain() {
	s.drained.Store(true)
	for _, r := range s.all() {
		r.drain()
	}
}

// Close ends following and leading, and closes the directories, which flushes them and marks them as
// clean. Nothing may be called from then on. It may be called twice.
func (s *Set) Close() error {
	s.Drain()
	s.stop()
	s.follow.close()
	s.isrs.close()
	s.wg.Wait()
	var first error
	for _, d := range s.cfg.Dirs {
		err := d.Close()
		if err != nil && first == nil && (d.Err() == nil || s.Err() != nil) { // else it has been said
			first = fmt.Errorf("close logs: %w", err)
		}
	}
	return first
}
