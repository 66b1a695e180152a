package brokerkills

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Pace and size of the load: enough that every partition has something in flight at any time.
const (
	perRecord   = 5 * time.Millisecond
	txnRecords  = 8
	flushWithin = 90 * time.Second
)

// startIdempotent runs a producer of its own number that sends with acks=all and tries until it
// is told.
func (c *crew) startIdempotent(number int) {
	c.producers.Go(func() {
		client, err := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.RequiredAcks(kgo.AllISRAcks()),
			kgo.ProduceRequestTimeout(5*time.Second))
		if err != nil {
			c.fail("producer %d: %v", number, err)
			return
		}
		defer client.Close()
		for seq := int64(0); pause(c.produce, perRecord); seq++ {
			r, w := c.record(ID{number, seq}, 0)
			client.Produce(c.live, r, func(r *kgo.Record, err error) { c.acked(w, r, err) })
		}
		ctx, cancel := context.WithTimeout(c.live, flushWithin)
		defer cancel()
		if err := client.Flush(ctx); err != nil {
			c.fail("producer %d: what was sent is not acknowledged at the end: %v", number, err)
		}
	})
}

// startTransactional runs a producer of transactions, every fourth of which it aborts.
func (c *crew) startTransactional(number int) {
	c.producers.Go(func() {
		t := &transactional{crew: c, number: number}
		defer t.close()
		for n := int64(0); pause(c.produce, 4*perRecord); n++ {
			ctx, cancel := context.WithTimeout(c.live, flushWithin)
			t.transaction(ctx, int64(number)<<32|(n+1), n%4 != 3)
			cancel()
		}
	})
}

// transactional is a producer that gets a new client, and with it a new epoch, after an error
// that its client does not survive.
type transactional struct {
	crew   *crew
	number int
	seq    int64
	client *kgo.Client
	errors int
}

func (t *transactional) close() {
	if t.client != nil {
		t.client.Close()
	}
	t.client = nil
}

// transaction sends one transaction and notes how it ended.
func (t *transactional) transaction(ctx context.Context, txn int64, commit bool) {
	c := t.crew
	err := t.begin()
	if err == nil {
		err = t.send(ctx, txn)
		if err == nil || !commit {
			err = t.client.EndTransaction(ctx, kgo.TransactionEndTry(commit))
		} else if abortErr := t.client.AbortBufferedRecords(ctx); abortErr == nil {
			// It may hold records that the producer was not told of, so nothing but an abort is left.
			commit = false
			err = errors.Join(err, t.client.EndTransaction(ctx, kgo.TryAbort))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		c.txns[txn] = Unknown
		t.errors++
		t.close()
	case commit:
		c.txns[txn] = Committed
	default:
		c.txns[txn] = Aborted
	}
}

func (t *transactional) begin() (err error) {
	if t.client == nil {
		t.client, err = t.crew.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(fmt.Sprint("txn-", t.number)),
			kgo.ProducerLinger(0), kgo.ProduceRequestTimeout(5*time.Second), kgo.TransactionTimeout(30*time.Second))
		if err != nil {
			return err
		}
	}
	return t.client.BeginTransaction()
}

// send returns once every record is acknowledged, or with the first error.
func (t *transactional) send(ctx context.Context, txn int64) error {
	var failed atomic.Pointer[error]
	for range txnRecords {
		r, w := t.crew.record(ID{t.number, t.seq}, txn)
		t.seq++
		t.client.Produce(ctx, r, func(r *kgo.Record, err error) {
			t.crew.acked(w, r, err)
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := t.client.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
