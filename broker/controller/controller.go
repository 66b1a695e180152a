package controller

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/broker/kerror"
	"holt/broker/metadata"
)

// Config is what a broker's controller works with.
type Config struct {
	Client   *metadata.Client
	Follower *metadata.Follower // started; outlives the Controller
	Broker   int32
	Logger   *zap.Logger // default: none

	// Core is how it decides; Epoch is set by each election.
	Core CoreConfig

	// BatchOps bounds the operations of one multi, BatchesInFlight the multis under
	// way. Defaults: 400, 8.
	BatchOps        int
	BatchesInFlight int

	// TickEvery is how often what waits for a time is looked at. Default: 1 s.
	TickEvery time.Duration

	// Elected and Resigned, if set, are called from the Controller's goroutine.
	Elected  func(epoch int32)
	Resigned func()
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.BatchOps <= 0 {
		c.BatchOps = 400
	}
	if c.BatchesInFlight <= 0 {
		c.BatchesInFlight = 8
	}
	if c.TickEvery <= 0 {
		c.TickEvery = time.Second
	}
	return c
}

// Controller is a broker's candidate for the office of controller, and holds it when
// elected. See the package comment.
type Controller struct {
	cfg   Config
	epoch atomic.Int32 // of the term, 0: not in office

	wake      chan struct{} // of capacity 1
	requests  chan request  // unbuffered: a caller waits for the loop
	resigns   chan chan<- struct{}
	done      chan struct{}
	stop      context.CancelFunc
	unfollow  func()
	closeOnce sync.Once

	mu      sync.Mutex
	broker  int64              // epoch of the broker's registration, 0: may not be elected
	endTerm context.CancelFunc // ends the term or the candidature under way
}

// request is a call of the Core made by another goroutine.
type request struct {
	make   func(*Core) Ticket
	answer chan<- Answer // of capacity 1
}

// New returns a Controller that does nothing until Start.
func New(cfg Config) *Controller {
	return &Controller{
		cfg: cfg.withDefaults(), wake: make(chan struct{}, 1), requests: make(chan request),
		resigns: make(chan chan<- struct{}), done: make(chan struct{}),
	}
}

// Start begins to stand for election once Registered was called. It is called once.
func (c *Controller) Start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.unfollow = c.cfg.Follower.Subscribe(func(*metadata.Delta) { c.signal() })
	go c.run(ctx)
}

// Registered says that the broker is registered, and may be controller. (Hand it to
// metadata.RegistrarConfig.Registered.)
func (c *Controller) Registered(brokerEpoch int64) {
	c.mu.Lock()
	c.broker = brokerEpoch
	c.mu.Unlock()
	c.signal()
}

// Resign ends the term, if there is one, and returns when nothing is written in its
// name any more. There is no other before Registered. (metadata.RegistrarConfig.Expired)
func (c *Controller) Resign() {
	c.mu.Lock()
	c.broker = 0
	if c.endTerm != nil {
		c.endTerm()
	}
	c.mu.Unlock()
	done := make(chan struct{})
	select {
	case c.resigns <- done:
		<-done
	case <-c.done:
	}
}

// Close resigns, gives the office up so that others need not wait for the end of the
// session, and ends. It may be called twice.
func (c *Controller) Close() {
	c.closeOnce.Do(func() {
		if c.stop == nil {
			close(c.done)
			return
		}
		c.unfollow()
		c.stop()
	})
	<-c.done
}

// Active tells whether this broker is the controller, as far as it knows.
func (c *Controller) Active() bool { return c.epoch.Load() > 0 }

// Epoch is the epoch of the term, 0 if not in office.
func (c *Controller) Epoch() int32 { return c.epoch.Load() }

func (c *Controller) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Shutdown relieves a broker that is about to stop; see Core.Shutdown. The code is
// NotController on a broker that is not. An error is one of ctx.
func (c *Controller) Shutdown(ctx context.Context, broker int32, epoch int64) ([]metadata.TopicPartition, kerror.Code, error) {
	a, err := c.ask(ctx, func(core *Core) Ticket { return core.Shutdown(broker, epoch) })
	return a.Remaining, a.Code, err
}

// Elect has leaders elected; see Core.Elect.
func (c *Controller) Elect(ctx context.Context, kind ElectionType, tps []metadata.TopicPartition) ([]Outcome, kerror.Code, error) {
	a, err := c.ask(ctx, func(core *Core) Ticket { return core.Elect(kind, tps) })
	return a.Outcomes, a.Code, err
}

// Reassign begins or cancels reassignments; see Core.Reassign.
func (c *Controller) Reassign(ctx context.Context, wishes []metadata.Reassignment) ([]Outcome, kerror.Code, error) {
	a, err := c.ask(ctx, func(core *Core) Ticket { return core.Reassign(wishes) })
	return a.Outcomes, a.Code, err
}

// ask has the loop make a request, and waits for the answer.
func (c *Controller) ask(ctx context.Context, make_ func(*Core) Ticket) (Answer, error) {
	answer := make(chan Answer, 1)
	select {
	case c.requests <- request{make_, answer}:
	case <-c.done:
		return Answer{Code: kerror.NotController}, nil
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	select {
	case a := <-answer:
		return a, nil
	case <-c.done:
		return Answer{Code: kerror.NotController}, nil
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

// run is the loop: candidate, term, candidate, ...
func (c *Controller) run(ctx context.Context) {
	defer close(c.done)
	retry := time.NewTicker(c.cfg.TickEvery)
	defer retry.Stop()
	for {
		if term := c.candidate(ctx); term != nil {
			term.run()
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-retry.C:
		case r := <-c.requests:
			r.answer <- Answer{Code: kerror.NotController}
		case done := <-c.resigns:
			close(done)
		}
	}
}
