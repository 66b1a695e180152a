package quorum

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/quorum/storage"
	"holt/quorum/transport"
)

// Member is one running member of the ensemble. Its methods may be called
// from any goroutine, except from within StateMachine and the callbacks where they
// say so.
type Member struct {
	cfg       Config
	log       *storage.Log
	id        storage.Identity
	placed    atomic.Bool            // there is a core
	core      *Core                  // owned by the loop; nil until discover has ended
	roster    atomic.Pointer[roster] // of core, for whoever is asked
	refused   refusals
	strangers strangers
	hints     atomic.Pointer[[]MemberConfig] // whom others said to be members
	transport *transport.Transport
	in        *inbox
	appends   *mailbox[*Append]
	applies   *mailbox[applyTask]
	zlog      *zap.Logger

	proposer proposer
	barriers atomic.Int64 // that wait, bounded by MaxBarriers
	notices  *mailbox[Leadership]
	openedAt map[string]bool  // further addresses for peers; of upkeep's goroutine
	upkeep   *mailbox[func()] // slow work beside the loop: flushes, removal of files
	leads    atomic.Pointer[Leadership]
	applied  atomic.Uint64
	metrics  Metrics
	stages   stages
	opened   time.Time // what durations are measured from

	snapshots struct {
		ctx    context.Context // ends with Close
		cancel context.CancelFunc
		limit  *transport.Limiter

		mu      sync.Mutex
		current *checkpoint // the one Raft knows of
		made    int
	}

	failed   chan error
	failOnce sync.Once
	stopLoop chan struct{}
	loopDone chan struct{}
	written  chan struct{}  // runAppend has ended
	wg       sync.WaitGroup // all other goroutines
	closing  atomic.Bool
	closed   chan struct{} // shutdown has ended with closeErr
	closeErr error
}

// Open starts a member. It founds the log if it is empty, finishes the
// installation of a snapshot that a crash interrupted, and replays nothing: that
// is Raft's part, as soon as the commit index is known again.
func Open(cfg Config) (_ *Member, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open member: %w", err)
	}
	m := &Member{
		cfg:      cfg,
		zlog:     cfg.Logger.Named("quorum"),
		in:       newInbox(),
		appends:  newMailbox[*Append](),
		applies:  newMailbox[applyTask](),
		notices:  newMailbox[Leadership](),
		upkeep:   newMailbox[func()](),
		failed:   make(chan error, 1),
		stopLoop: make(chan struct{}),
		loopDone: make(chan struct{}),
		closed:   make(chan struct{}),
		written:  make(chan struct{}),
		openedAt: map[string]bool{},
		opened:   time.Now(),
	}
	m.leads.Store(&Leadership{})
	m.roster.Store(&roster{})
	m.hints.Store(&[]MemberConfig{})
	m.proposer.max = cfg.MaxUnsaved
	m.proposer.cond.L = &m.proposer.mu
	if err := m.openLog(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.log.Close())
		}
	}()
	if m.log.Founded() {
		if err := m.openCore(); err != nil {
			return nil, err
		}
	}
	if err := m.openTransport(); err != nil {
		return nil, err
	}
	m.start()
	return m, nil
}

func (m *Member) openLog() error {
	log, err := storage.Open(m.cfg.FS.PathJoin(m.cfg.Dir, "log"), storage.Options{
		FS: m.cfg.FS, Logger: m.zlog, OnFatal: m.fail,
	})
	if err != nil {
		return err
	}
	m.log = log
	if log.Founded() {
		if m.id = log.Identity(); m.id.Member != m.cfg.ID {
			err = fmt.Errorf("log %s belongs to member %d, this is member %d", m.cfg.Dir, m.id.Member, m.cfg.ID)
		}
	} else {
		m.id.Member = m.cfg.ID
		if _, err = rand.Read(m.id.Store[:]); err != nil {
			err = fmt.Errorf("draw store id: %w", err)
		} else {
			m.cfg.Origin.mark(&m.id.Store)
			if !m.cfg.Discover || len(m.cfg.Members) < 2 {
				err = m.found(m.cfg.Join)
			}
		}
	}
	if err != nil {
		return errors.Join(err, log.Close())
	}
	return nil
}

// found gives the log its beginning: that of a founder, or of one that joins.
func (m *Member) found(join bool) error {
	if join {
		return Join(m.log, m.id)
	}
	if !slices.ContainsFunc(m.cfg.Members, func(f MemberConfig) bool { return f.ID == m.cfg.ID }) {
		return fmt.Errorf("found ensemble: member %d is not among the members", m.cfg.ID)
	}
	return Found(m.log, m.id, m.cfg.Members)
}

// Found gives an empty log its first configuration, the founding members.
func Found(log *storage.Log, id storage.Identity, members []MemberConfig) error {
	return log.Found(id, foundingConf(members))
}

// Join prepares an empty log for a member that joins later. It begins before
// the founders' logs, so that no leader can continue it: a snapshot has to come first,
// and with it the configuration that the log's changes start from.
func Join(log *storage.Log, id storage.Identity) error {
	conf := foundingConf(nil)
	conf.Index = 0
	return log.Found(id, conf)
}

func (m *Member) finishInstall() error {
	in, ok := m.log.PendingInstall()
	if err := m.openSnapshots(in.Dir); err != nil || !ok {
		return err
	}
	if err := FinishInstall(m.log, m.cfg.StateMachine); err != nil {
		return err
	}
	m.discard(in.Dir)
	return nil
}

// FinishInstall repeats the installation of a snapshot that a crash
// interrupted, if there is one. The log already begins after it.
func FinishInstall(log *storage.Log, sm StateMachine) error {
	in, ok := log.PendingInstall()
	if !ok {
		return nil
	}
	if sm.Applied() < in.Index {
		if err := sm.Restore(in.Dir); err != nil {
			return fmt.Errorf("restore snapshot %s: %w", in.Dir, err)
		}
	}
	return log.EndInstall()
}

// openCore finishes an installation that a crash interrupted and makes the core.
func (m *Member) openCore() error {
	if err := m.finishInstall(); err != nil {
		return err
	}
	var incarnation [8]byte
	if _, err := rand.Read(incarnation[:]); err != nil {
		return fmt.Errorf("draw incarnation: %w", err)
	}
	c := &m.cfg
	core, err := NewCore(CoreConfig{
		ID: c.ID, Log: m.log, Applied: c.StateMachine.Applied(),
		Incarnation:   binary.BigEndian.Uint64(incarnation[:]),
		ElectionTicks: c.ElectionTicks, HeartbeatTicks: c.HeartbeatTicks,
		MaxUncommittedBytes: c.MaxUncommittedBytes, MaxMessageBytes: c.MaxMessageBytes,
		MaxInflightBytes: c.MaxInflightBytes, MaxInflight: c.MaxInflight, MaxApplyBytes: c.MaxApplyBytes,
		FlushBytes: c.FlushBytes, FlushTicks: int(c.FlushInterval / c.TickInterval),
		LogBytes: c.LogBytes, LogBytesMax: c.LogBytesMax, HoldTicks: int(c.HoldInterval / c.TickInterval),
		IDsReused: c.Discover,
		Logger:    m.zlog,
	})
	if err != nil {
		return fmt.Errorf("start member: %w", err)
	}
	m.core = core
	r := core.roster
	m.roster.Store(&r)
	m.placed.Store(true)
	m.leads.Store(&Leadership{Term: core.Leadership().Term})
	return nil
}

func (m *Member) start() {
	m.snapshots.ctx, m.snapshots.cancel = context.WithCancel(context.Background())
	m.snapshots.limit = transport.NewLimiter(m.cfg.SnapshotBytesPerSecond)
	if m.core != nil {
		m.setPeers()
	}
	for _, f := range []func(){m.runApply, m.runNotices, m.runUpkeep, m.runSearch} {
		m.wg.Go(f)
	}
	go m.runAppend()
	go m.runLoop()
}

// Failed yields the error that made the member stop: a failure of the disk or
// of the state machine, a damaged log, a broken promise of Raft. At most one; nothing was
// acknowledged after it. The owner closes the member and ends.
func (m *Member) Failed() <-chan error { return m.failed }

// fail stops the member: the loop ends, proposals are refused, nothing is
// sent any more.
func (m *Member) fail(err error) {
	m.failOnce.Do(func() {
		m.zlog.Error("member failed", zap.Error(err))
		m.proposer.close()
		close(m.stopLoop)
		m.failed <- err
	})
}

// Leadership returns who leads, as far as this member knows. It is cheap.
func (m *Member) Leadership() Leadership { return *m.leads.Load() }

// Applied returns the index of the last entry applied.
func (m *Member) Applied() uint64 { return m.applied.Load() }

// do runs f on the loop and waits; false if the member has ended.
func (m *Member) do(f func(*Core)) bool {
	done := make(chan struct{})
	m.in.add(func(ev *events) {
		ev.calls = append(ev.calls, func(c *Core) { f(c); close(done) })
	})
	select {
	case <-done:
		return true
	case <-m.loopDone:
		return false
	}
}

// Close stops the member. A leader first hands over to another voter, for at
// most an election timeout. Proposals and barriers that wait get ErrClosed;
// callbacks that block must be released by the caller. The order: refuse proposals,
// hand over, stop the loop, end connections, finish writes to the log, finish applying,
// close the log. Close may be called twice.
func (m *Member) Close() error {
	if m.closing.CompareAndSwap(false, true) {
		m.closeErr = m.shutdown()
		close(m.closed)
	}
	<-m.closed
	return m.closeErr
}

func (m *Member) shutdown() error {
	m.proposer.close()
	m.handOver()
	m.failOnce.Do(func() { close(m.stopLoop) })
	<-m.loopDone
	m.in.close()
	m.snapshots.cancel()
	closeErr := m.transport.Close()
	m.applies.put(applyTask{abandon: m.abandonReads()})
	if m.core != nil && m.core.Err() == nil {
		if a := m.core.LastAppend(); a != nil {
			m.appends.put(a)
		}
	}
	m.appends.close()
	select {
	case <-m.written:
	case <-m.log.Failed(): // a write that is under way may never return
	}
	m.applies.close()
	m.notices.close()
	m.upkeep.close()
	m.wg.Wait()
	return errors.Join(closeErr, m.log.Err(), m.log.Close())
}

// handOver gives leadership away before the member ends, so that the others
// need not wait for an election timeout.
func (m *Member) handOver() {
	l := m.Leadership()
	if !l.Self {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.cfg.TickInterval*time.Duration(m.cfg.ElectionTicks))
	defer cancel()
	if err := m.transfer(ctx, 0); err != nil && !errors.Is(err, errNobody) {
		m.zlog.Warn("leadership not handed over", zap.Error(err))
	}
}
