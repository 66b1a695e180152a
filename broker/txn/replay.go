package txn

import (
	"fmt"

	"holt/broker/journal"
	"holt/broker/record"
)

// Replay takes a batch of the log, which is never compressed.
func (c *core) Replay(b record.Batch) error {
	if b.IsControl() {
		return nil
	}
	for r, err := range b.Records(nil) {
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		if err := c.replayRecord(r); err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
	}
	return nil
}

func (c *core) replayRecord(r record.Record) error {
	id, ok, err := readKey(r.Key)
	switch {
	case err != nil:
		return err
	case !ok:
		return nil
	case r.Value == nil:
		delete(c.txns, id)
		return nil
	}
	f, err := readValue(r.Value)
	if err != nil {
		return err
	}
	c.txns[id] = &transaction{id: id, facts: f}
	return nil
}

// Loaded goes on with what was decided and not completed, and gives ongoing transactions the time that
// they have left.
func (c *core) Loaded(now journal.Instant) {
	for _, t := range c.txns {
		switch {
		case t.preparing():
			c.mark(t)
		case t.state == Ongoing:
			left := t.start + int64(t.timeout) - now.Unix
			// The wall clock may have been set, or be another machine's.
			left = min(max(left, 0), int64(t.timeout))
			t.deadline = now.Up + millis(int32(left))
		}
	}
	c.abortAt, c.expireAt = now.Up+c.c.AbortScan, now.Up+c.c.ExpirationScan
}
