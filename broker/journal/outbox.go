package journal

import (
	"holt/broker/kerror"
	"holt/broker/record"
)

// Done ends a write. It is called under the shard's lock, once.
type Done func(now Instant, offset int64, code kerror.Code)

// Effect is one thing that a core wants done outside: Do called, or Batch appended.
type Effect struct {
	Do func()

	Batch           record.Batch
	TransactionalID string
	Done            Done
}

// Outbox collects the effects of a core's steps in order. The zero value is ready. It is used
// under the shard's lock.
type Outbox struct{ effects []Effect }

// Do has f called after all earlier effects, without the lock. f must not wait.
func (o *Outbox) Do(f func()) { o.effects = append(o.effects, Effect{Do: f}) }

// Append has a batch appended after all earlier effects. done may be nil.
func (o *Outbox) Append(b record.Batch, done Done) {
	o.effects = append(o.effects, Effect{Batch: b, Done: done})
}

// AppendTransactional is Append for a batch of somebody's transaction.
func (o *Outbox) AppendTransactional(b record.Batch, transactionalID string, done Done) {
	o.effects = append(o.effects, Effect{Batch: b, TransactionalID: transactionalID, Done: done})
}

// Take returns what has been collected, and empties the outbox.
func (o *Outbox) Take() []Effect {
	e := o.effects
	o.effects = nil
	return e
}
