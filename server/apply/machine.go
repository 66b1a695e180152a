package apply

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode"
)

// Store is where a Machine keeps its state.
type Store interface {
	znode.Store
	// Record returns the value of a record that is no part of the tree, nil if there is none.
	Record(key []byte) ([]byte, error)
	// EachRecord calls visit for the records whose keys begin with prefix, in order.
	// What it is given is valid during the call.
	EachRecord(prefix []byte, visit func(key, value []byte) error) error
}

// Config says who this member is. It decides for whom results are encoded, not what they are.
type Config struct {
	Member      uint64
	Incarnation uint64
	// FormatMax is the newest format that this member carries out; default FormatMax.
	FormatMax uint64
	// Restorer makes the stores of restores; nil: an entry that restores is an error.
	Restorer Restorer
}

// Machine is the replicated state of one member.
type Machine struct {
	cfg Config

	mu sync.RWMutex
	// Written by Apply with mu held; read by others under its read side. Apply itself,
	// the only writer, reads without.

	tree     *znode.Tree
	sessions *session.Table
	lastZxid atomic.Int64 // of what is visible
	applied  atomic.Uint64
	format   atomic.Uint64 // see format.go
	// configured: /zookeeper/config was written by this log with a version. A tree that was imported or
	// restored has the text of another ensemble.
	configured atomic.Bool
	staging    atomic.Pointer[Staging] // see restore.go
	restored   atomic.Int64            // zxid

	// The rest is the applying goroutine's.

	store   Store
	origin  [OriginSize]byte
	state   state
	exec    execution
	records []znode.Record
	scratch []byte // their keys and values
	change  watch.Change
	metrics Metrics
}

// Keys of records.
const (
	keyState   = "m"
	keySession = "s" // and the id
	keyMembers = "c" // there is one if Machine.configured
)

// Open returns a machine in the state that store holds.
func Open(store Store, cfg Config) (*Machine, error) {
	m := &Machine{cfg: cfg}
	if err := m.load(store); err != nil {
		return nil, err
	}
	return m, nil
}

// Replace has the machine go on from the state of the store that replace returns, made from a
// snapshot. Readers are held off from before replace is called, which may close the former
// store. What lies between the two states is told to no sink: the caller must end
// all connections, whose watches would miss changes, and ask Taken which commands will have
// no result. For the applying goroutine. After an error the machine must not be used any more.
func (m *Machine) Replace(replace func() (Store, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	store, err := replace()
	if err != nil {
		return err
	}
	return m.load(store)
}

func (m *Machine) load(store Store) error {
	tree, err := znode.NewTree(store)
	if err != nil {
		return err
	}
	var s state
	b, err := store.Record([]byte(keyState))
	if err == nil && b != nil {
		s, err = decodeState(b)
	}
	if err != nil {
		return fmt.Errorf("read state of the machine: %w", err)
	}
	sessions := session.NewTable()
	err = store.EachRecord([]byte(keySession), func(key, value []byte) error {
		f, err := decodeSession(key, value)
		sessions.Load(f)
		return err
	})
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	format, err := m.loadFormat(store)
	if err != nil {
		return fmt.Errorf("read format: %w", err)
	}
	b, err = store.Record([]byte(keyMembers))
	if err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	staging, restored, err := loadRestore(store)
	if err != nil {
		return fmt.Errorf("read staged snapshot: %w", err)
	}
	if m.origin, err = ReadOrigin(store); err != nil {
		return err
	}
	m.staging.Store(&staging)
	m.restored.Store(int64(restored))
	m.configured.Store(b != nil)
	m.format.Store(format)
	m.store, m.tree, m.sessions, m.state = store, tree, sessions, s
	m.lastZxid.Store(int64(s.zxid))
	m.applied.Store(tree.Applied())
	return nil
}

// RLock holds off changes of what readers see. Readers may hold it together; keep it briefly.
func (m *Machine) RLock() { m.mu.RLock() }

// RUnlock ends RLock.
func (m *Machine) RUnlock() { m.mu.RUnlock() }

// Tree returns the tree, for its reading methods under the read lock.
func (m *Machine) Tree() *znode.Tree { return m.tree }

// Sessions returns the sessions, for its reading methods under the read lock.
func (m *Machine) Sessions() *session.Table { return m.sessions }

// LastZxid is the zxid of what readers see. It may be older than what they see next.
func (m *Machine) LastZxid() wire.Zxid { return wire.Zxid(m.lastZxid.Load()) }

// LastZxidLocked is LastZxid under the read lock, exact for what is read under it.
func (m *Machine) LastZxidLocked() wire.Zxid { return m.LastZxid() }

// Applied is the index of the last entry that readers see.
func (m *Machine) Applied() uint64 { return m.applied.Load() }

// Taken is the number of the last own command that was taken, 0 if none was. For the applying goroutine.
func (m *Machine) Taken() uint64 {
	i, ok := m.state.find(m.cfg.Member)
	if !ok || m.state.origins[i].incarnation != m.cfg.Incarnation {
		return 0
	}
	return m.state.origins[i].seq
}

// Configured reports whether /zookeeper/config says who the members of this ensemble are, and has a
// version. For any goroutine.
func (m *Machine) Configured() bool { return m.configured.Load() }

// WouldTake reports whether a command with this number would be carried out if it came next, and its
// session is one of that member's. Under the read lock, with no entry on its way.
func (m *Machine) WouldTake(c *Command) bool {
	i, known := m.state.find(c.Member)
	var last progress
	if known {
		last = m.state.origins[i]
	}
	next := last.seq + 1
	if c.Incarnation > last.incarnation {
		next = 1
	}
	f, ok := m.sessions.Get(c.Session)
	return c.Incarnation >= last.incarnation && c.Seq == next && (c.Flags&Local != 0 || ok && f.Owner == c.Member)
}

// Term is that of the last entry applied. For the applying goroutine.
func (m *Machine) Term() uint64 { return m.state.term }

// Apply carries out the entry at an index of the log, later than all before it. data
// is as AppendEntry made it, or empty. See the package comment for all that happens.
func (m *Machine) Apply(index, term uint64, data []byte, sink Sink) error {
	if err := m.apply(index, term, data, sink); err != nil {
		return fmt.Errorf("apply entry %d: %w", index, err)
	}
	return nil
}

// LastMillis is the leader's time of the last entry. For the goroutine that calls Apply.
func (m *Machine) LastMillis() int64 { return m.state.millis }

func (m *Machine) apply(index, term uint64, data []byte, sink Sink) error {
	if last := m.applied.Load(); index <= last {
		return fmt.Errorf("entry %d was applied", last)
	}
	if err := m.state.enterTerm(term); err != nil {
		return err
	}
	x := &m.exec
	x.begin(m)
	if len(data) > 0 {
		if err := x.run(data); err != nil {
			return err
		}
	}
	if x.restoring {
		if err := m.restore(index, sink); err != nil {
			return err
		}
		m.metrics.count(x)
		x.end()
		return nil
	}
	m.encodeRecords()
	if err := m.tree.Prepare(index, m.records); err != nil {
		return err
	}
	m.metrics.count(x)
	m.publish(index, sink)
	x.end()
	return nil
}

// encodeRecords lists the records that the entry changed.
func (m *Machine) encodeRecords() {
	m.records, m.scratch = m.records[:0], m.scratch[:0]
	m.addRecord(keyState, 0, true, m.state.appendTo)
	if m.exec.configured && !m.configured.Load() {
		m.addRecord(keyMembers, 0, true, func(b []byte) []byte { return append(b, 1) })
	}
	if format := m.exec.format; format != m.format.Load() {
		m.addRecord(keyFormat, 0, true, func(b []byte) []byte { return AppendFormat(b, format) })
	}
	m.addStaging()
	m.sessions.Changed(func(f *session.Facts, open bool) {
		m.addRecord(keySession, f.ID, open, f.AppendTo)
	})
}

// addStaging adds what the entry did to a staged snapshot.
func (m *Machine) addStaging() {
	m.records = append(m.records, m.exec.beside...)
	now := m.exec.staging
	if before := m.staging.Load(); now == *before {
		return
	}
	m.addRecord(keyStaging, 0, now.ID.Member != 0, now.appendTo)
}

// addRecord adds a record whose key is that of its space and the id, if not 0. Slices of scratch stay good
// when it moves: what is in them is written once.
func (m *Machine) addRecord(space string, id wire.SessionID, keep bool, value func([]byte) []byte) {
	b := append(m.scratch, space...)
	if id != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(id))
	}
	key := b[len(m.scratch):]
	n := len(b)
	if keep {
		b = value(b)
		m.records = append(m.records, znode.Record{Key: key, Value: b[n:len(b):len(b)]})
	} else {
		m.records = append(m.records, znode.Record{Key: key})
	}
	m.scratch = b
}

// publish shows readers the entry and tells the sink of it.
func (m *Machine) publish(index uint64, sink Sink) {
	x := &m.exec
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tree.Commit()
	m.sessions.Commit()
	m.lastZxid.Store(int64(m.state.zxid))
	m.format.Store(x.format)
	m.configured.Store(x.configured)
	if staging := x.staging; staging != *m.staging.Load() {
		m.staging.Store(&staging)
	}
	m.applied.Store(index)

	events, told := x.events(), 0
	for i := range x.outcomes {
		o := &x.outcomes[i]
		var ended wire.SessionID
		if o.session == sessionClosed {
			ended = o.facts.ID
		}
		m.tell(events[told:o.events], ended, sink)
		told = o.events
		switch o.session {
		case sessionMoved:
			sink.SessionMoved(&o.facts)
		case sessionOpened:
			sink.SessionOpened(&o.facts)
		case sessionClosed:
			sink.SessionClosed(o.facts.ID)
		}
		if o.own {
			if o.bodyTo > o.bodyFrom {
				o.result.Body = x.body[o.bodyFrom:o.bodyTo]
			}
			sink.Result(&o.cmd, &o.result)
		}
	}
	m.tell(events[told:], 0, sink)
}

// tell tells of changes; ended is the session whose end they are, else 0.
func (m *Machine) tell(events []znode.Event, ended wire.SessionID, sink Sink) {
	for i := range events {
		e := &events[i]
		m.change = watch.Change{Type: e.Type, Path: e.Path, Zxid: e.Zxid, ACL: e.ACL.Entries(), ParentACL: e.ParentACL.Entries(), Ended: ended}
		sink.Change(&m.change)
	}
	m.change = watch.Change{}
}

// trim lets go of what a slice holds, and of the slice if it is large.
func trim[T any](s []T, keep int) []T {
	if cap(s) > keep {
		return nil
	}
	clear(s)
	return s[:0]
}
