package quorum

import (
	"sync"

	"go.etcd.io/raft/v3/raftpb"
)

// mailbox is a queue between goroutines from which everything is taken at
// once. It has no bound of its own: whoever uses it says what bounds it.
type mailbox[T any] struct {
	mu     sync.Mutex
	cond   sync.Cond
	items  []T
	closed bool
}

func newMailbox[T any]() *mailbox[T] {
	b := &mailbox[T]{}
	b.cond.L = &b.mu
	return b
}

func (b *mailbox[T]) put(items ...T) {
	b.mu.Lock()
	b.items = append(b.items, items...)
	b.mu.Unlock()
	b.cond.Signal()
}

// take waits for items and returns them all; spare is a slice to be reused.
// After close it returns what is left, then false.
func (b *mailbox[T]) take(spare []T) ([]T, bool) {
	clear(spare)
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.items) == 0 && !b.closed {
		b.cond.Wait()
	}
	items := b.items
	b.items = spare[:0]
	return items, len(items) > 0
}

func (b *mailbox[T]) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cond.Broadcast()
}

// events is what happened since the loop looked last.
type events struct {
	msgs      []*raftpb.Message
	msgBytes  int
	proposals [][]byte
	term      uint64 // of the proposals
	appended  []*Append
	applied   []*Apply
	reads     []func(error)
	calls     []func(*Core)
}

// inbox collects events for the loop. Bounds: messages by maxInboxBytes (the
// receiving goroutine blocks, and with it TCP), proposals by MaxUnsaved, reads by
// MaxBarriers, reports by the jobs handed out, calls by their callers who wait.
type inbox struct {
	wake chan struct{} // holds a token while the loop has not seen the newest event

	mu     sync.Mutex
	room   sync.Cond // msgBytes has shrunk, or closed
	ev     events
	awake  bool // a token is in wake or the loop is about to look
	closed bool
}

const maxInboxBytes = 32 << 20

func newInbox() *inbox {
	in := &inbox{wake: make(chan struct{}, 1)}
	in.room.L = &in.mu
	return in
}

// add puts an event in and wakes the loop.
func (in *inbox) add(f func(*events)) {
	in.mu.Lock()
	f(&in.ev)
	in.signalLocked()
	in.mu.Unlock()
}

func (in *inbox) signalLocked() {
	if !in.awake {
		in.awake = true
		in.wake <- struct{}{}
	}
}

// addMessages blocks while too much is unread; false after close.
func (in *inbox) addMessages(msgs []*raftpb.Message, size int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.ev.msgBytes > maxInboxBytes && !in.closed {
		in.room.Wait()
	}
	if in.closed {
		return false
	}
	in.ev.msgs = append(in.ev.msgs, msgs...)
	in.ev.msgBytes += size
	in.signalLocked()
	return true
}

// take swaps the events out. spare is emptied and reused.
func (in *inbox) take(spare *events) events {
	clear(spare.msgs)
	clear(spare.proposals)
	clear(spare.appended)
	clear(spare.applied)
	clear(spare.reads)
	clear(spare.calls)
	in.mu.Lock()
	ev := in.ev
	in.ev = events{
		msgs: spare.msgs[:0], proposals: spare.proposals[:0], appended: spare.appended[:0],
		applied: spare.applied[:0], reads: spare.reads[:0], calls: spare.calls[:0],
	}
	if in.awake {
		in.awake = false
		select {
		case <-in.wake:
		default: // the loop has taken the token
		}
	}
	in.mu.Unlock()
	if ev.msgBytes > maxInboxBytes {
		in.room.Broadcast()
	}
	return ev
}

func (in *inbox) close() {
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	in.room.Broadcast()
}
