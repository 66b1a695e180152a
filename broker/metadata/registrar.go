package metadata

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// RegistrarConfig says whom to register, and who must know.
type RegistrarConfig struct {
	Client *Client
	Logger *zap.Logger // default: none

	// Expired, if set, is called when the session of the registration has ended,
	// and returns when nothing is done any more in the name of the former epoch:
	// the controller has resigned. Only then comes the next registration.
	Expired func()

	// Registered, if set, is called after every registration, the first one
	// included, from the Registrar's goroutine or Start.
	Registered func(session SessionID, epoch int64)

	// Former is the session of a former life of the broker, whose process has ended, or 0: its
	// registration is taken over.
	Former SessionID

	// RetryAfter is the pause after a registration failed. Default: 500 ms.
	RetryAfter time.Duration
}

// Registrar keeps a broker registered. When a session ends it registers again in
// the next one, which gives the broker a new epoch.
type Registrar struct {
	cfg           RegistrarConfig
	stopListening func()
	cancel        context.CancelFunc
	wake          chan struct{} // of capacity 1
	done          chan struct{}
	closeOnce     sync.Once
	epoch         atomic.Int64

	mu      sync.Mutex
	broker  Broker
	changed bool // the tree has yet to be told of it

	// session is that of the registration; ends with it. The loop's own after Start.
	session SessionID
}

// NewRegistrar returns a Registrar for a broker, whose Epoch is not used.
func NewRegistrar(cfg RegistrarConfig, broker Broker) *Registrar {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.RetryAfter <= 0 {
		cfg.RetryAfter = 500 * time.Millisecond
	}
	return &Registrar{cfg: cfg, broker: broker, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// Start registers the broker and goes on to keep it registered. It is called once.
// ErrRegistered: another process has the id; after a crash whose session is not known that is this
// broker's own former life until its session ends, and Start may be tried with a new Registrar.
func (r *Registrar) Start(ctx context.Context) error {
	run, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.stopListening = r.cfg.Client.Listen(r.event)
	if err := r.register(ctx); err != nil {
		r.stopListening()
		cancel()
		close(r.done)
		return err
	}
	go r.run(run)
	return nil
}

// Epoch is the broker's epoch, 0 while it is not registered.
func (r *Registrar) Epoch() int64 { return r.epoch.Load() }

// Change changes what the registration says, soon, and from then on. It does not wait.
func (r *Registrar) Change(change func(*Broker)) {
	r.mu.Lock()
	change(&r.broker)
	r.changed = true
	r.mu.Unlock()
	r.wakeUp()
}

// Close ends the keeping. The registration stays until the session ends, or until
// Unregister. It may be called twice.
func (r *Registrar) Close() {
	r.closeOnce.Do(func() {
		if r.cancel == nil {
			close(r.done)
			return
		}
		r.stopListening()
		r.cancel()
	})
	<-r.done
}

// Unregister removes the registration, for a broker that stops in order, so that
// nobody waits for its session. Call it after Close.
func (r *Registrar) Unregister(ctx context.Context) error {
	epoch := r.epoch.Swap(0)
	if epoch == 0 {
		return nil
	}
	return r.cfg.Client.Unregister(ctx, r.broker.ID, epoch)
}

func (r *Registrar) event(e Event) {
	if e.State == Expired {
		r.epoch.Store(0)
	}
	if e.State == Expired || e.State == Connected {
		r.wakeUp()
	}
}

func (r *Registrar) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Registrar) run(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		for ctx.Err() == nil && r.cfg.Client.Session() != r.session {
			r.renew(ctx)
		}
		r.update(ctx)
	}
}

// update tells the tree what the registration says now. One that is made meanwhile says it too.
func (r *Registrar) update(ctx context.Context) {
	r.mu.Lock()
	broker, changed := r.broker, r.changed
	r.changed = false
	r.mu.Unlock()
	if !changed {
		return
	}
	broker.Timestamp = r.cfg.Client.now().UnixMilli()
	err := r.cfg.Client.UpdateRegistration(ctx, &broker)
	if err == nil || errors.Is(err, ErrNoNode) || ctx.Err() != nil || errors.Is(err, ErrClosed) {
		return
	}
	r.cfg.Logger.Error("registration is not changed, trying again", zap.Error(err))
	select {
	case <-time.After(r.cfg.RetryAfter):
	case <-ctx.Done():
	}
	r.Change(func(*Broker) {})
}

// renew ends what belongs to the former epoch and registers in the present session.
func (r *Registrar) renew(ctx context.Context) {
	if r.session != 0 && r.epoch.Load() == 0 && r.cfg.Expired != nil {
		r.cfg.Expired()
	}
	err := r.register(ctx)
	if err == nil || ctx.Err() != nil {
		return
	}
	if errors.Is(err, ErrClosed) {
		<-ctx.Done()
		return
	}
	r.cfg.Logger.Error("broker is not registered, trying again", zap.Error(err))
	select {
	case <-time.After(r.cfg.RetryAfter):
	case <-ctx.Done():
	}
}

func (r *Registrar) register(ctx context.Context) error {
	for {
		session := r.cfg.Client.Session()
		r.mu.Lock()
		broker := r.broker
		r.mu.Unlock()
		broker.Timestamp = r.cfg.Client.now().UnixMilli()
		previous := r.session
		if previous == 0 {
			previous = r.cfg.Former
		}
		epoch, err := r.cfg.Client.Register(ctx, &broker, previous)
		if err != nil {
			return err
		}
		now := r.cfg.Client.Session()
		if now == 0 || session != 0 && now != session {
			continue // it expired meanwhile; the node belongs to one or the other
		}
		r.session = now
		r.epoch.Store(epoch)
		if r.cfg.Registered != nil {
			r.cfg.Registered(now, epoch)
		}
		r.cfg.Logger.Info("broker registered", zap.Int32("broker", broker.ID), zap.Int64("epoch", epoch), zap.Stringer("session", now))
		return nil
	}
}
