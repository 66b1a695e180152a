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

// Store is where the state is kept: the tree, and this package's own records
// beside it.
type Store interface {
	znode.Store
	// EachRecord calls visit for the records whose keys begin with prefix.
	// Key and value are valid during the call.
	EachRecord(prefix []byte, visit func(key, value []byte) error) error
}

// Config says whose machine it is. Nothing in it changes what Apply does to the
// state.
type Config struct {
	// Member and Incarnation are those of this process: the results of its own
	// commands are reported.
	Member, Incarnation uint64
}

// The records of this package, by the first byte of their key.
const (
	recordMeta    = 'm' // one: counters, see appendMeta
	recordSession = 's' // session id 8: session.Facts
	recordOrigin  = 'o' // member 8: incarnation 8, seq 8
)

// origin is how far the commands of a member were taken.
type origin struct{ incarnation, seq uint64 }

// Machine is the state machine of one member.
type Machine struct {
	cfg   Config
	store Store
	tree  *znode.Tree

	// mu is the lock of readers against the moment in which an entry becomes
	// visible. It guards tree's view, sessions, zxid.
	mu       sync.RWMutex
	sessions *session.Table
	zxid     wire.Zxid
	lastZxid atomic.Int64 // zxid, readable without the lock
	applied  atomic.Uint64

	// The rest is the apply goroutine's.

	term    uint64
	time    int64 // of the last entry, ms
	origins map[uint64]origin

	// Of the entry being applied.
	next     wire.Zxid           // last zxid handed out
	moved    map[uint64]struct{} // members whose origin changed
	outcomes []outcome
	replies  []byte // encoded replies of own commands
	records  []znode.Record
	cmd      Command
	decoder  wire.Decoder
	change   watch.Change
	result   Result
}

// outcome is what phase 3 reports of one command.
type outcome struct {
	kind    outcomeKind
	own     bool
	drop    bool
	err     wire.ErrCode
	zxid    wire.Zxid
	events  int // end of its events in the tree's list
	reply   [2]int
	facts   session.Facts // of createSession, attach, closeSession
	origin  Origin
	session wire.SessionID
	xid     wire.Xid
	op      wire.OpCode
}

type outcomeKind uint8

const (
	plain outcomeKind = iota
	opened
	closed
	attached
)

// Open reads the state in store.
func Open(store Store, cfg Config) (*Machine, error) {
	m := &Machine{
		cfg: cfg, store: store, sessions: session.NewTable(),
		origins: make(map[uint64]origin),
		moved:   make(map[uint64]struct{}),
	}
	return m, m.load()
}

// Replace takes over the state of another store, which replace returns. Readers
// are held off meanwhile. Called on the apply goroutine.
func (m *Machine) Replace(replace func() (Store, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	store, err := replace()
	if err != nil {
		return err
	}
	m.store = store
	m.sessions = session.NewTable()
	clear(m.origins)
	return m.load()
}

// Taken returns the number of the last command that was taken of this member's
// present incarnation. Called on the apply goroutine.
func (m *Machine) Taken() uint64 {
	if o := m.origins[m.cfg.Member]; o.incarnation == m.cfg.Incarnation {
		return o.seq
	}
	return 0
}

func (m *Machine) load() error {
	tree, err := znode.NewTree(m.store)
	if err != nil {
		return err
	}
	m.tree = tree
	m.term, m.time, m.zxid = 0, 0, 0
	err = m.store.EachRecord(nil, func(key, value []byte) error {
		switch {
		case len(key) == 1 && key[0] == recordMeta && len(value) == metaSize:
			m.term = binary.BigEndian.Uint64(value)
			m.zxid = wire.Zxid(binary.BigEndian.Uint64(value[8:]))
			m.time = int64(binary.BigEndian.Uint64(value[16:]))
			return nil
		case len(key) == 9 && key[0] == recordSession:
			f, err := session.DecodeFacts(wire.SessionID(binary.BigEndian.Uint64(key[1:])), value)
			m.sessions.Load(f)
			return err
		case len(key) == 9 && key[0] == recordOrigin && len(value) == 16:
			m.origins[binary.BigEndian.Uint64(key[1:])] = origin{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])}
			return nil
		}
		return fmt.Errorf("record %x of %d bytes is none of this version's", key, len(value))
	})
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	m.next = m.zxid
	m.lastZxid.Store(int64(m.zxid))
	m.applied.Store(tree.Applied())
	return nil
}

// RLock holds off the moment in which the next entry becomes visible. It must
// be held briefly and not be taken twice by one goroutine.
func (m *Machine) RLock() { m.mu.RLock() }

// RUnlock ends RLock.
func (m *Machine) RUnlock() { m.mu.RUnlock() }

// Tree is the tree; under RLock its readers may be called.
func (m *Machine) Tree() *znode.Tree { return m.tree }

// Sessions is the session table, to be read under RLock.
func (m *Machine) Sessions() *session.Table { return m.sessions }

// LastZxidLocked is the zxid of the state that is read under RLock.
func (m *Machine) LastZxidLocked() wire.Zxid { return m.zxid }

// LastZxid is the zxid of the visible state, without a lock: it may be older
// than what a reader finds a moment later.
func (m *Machine) LastZxid() wire.Zxid { return wire.Zxid(m.lastZxid.Load()) }

// Applied is the index of the last entry applied.
func (m *Machine) Applied() uint64 { return m.applied.Load() }

// Term is that of the last entry applied; for the apply goroutine.
func (m *Machine) Term() uint64 { return m.term }

// Apply applies one committed entry; data is empty for one that holds no
// commands. An error means that this member cannot go on: nothing of the entry
// is visible.
func (m *Machine) Apply(index, term uint64, data []byte, sink Sink) error {
	m.begin(term)
	if len(data) > 0 {
		if err := m.execute(data); err != nil {
			return fmt.Errorf("apply entry %d: %w", index, err)
		}
	}
	if err := m.tree.Prepare(index, m.appendRecords()); err != nil {
		return fmt.Errorf("apply entry %d: %w", index, err)
	}
	m.mu.Lock()
	m.publish(index, sink)
	m.mu.Unlock()
	return nil
}

// begin makes room for an entry and moves to the epoch of its term.
func (m *Machine) begin(term uint64) {
	m.outcomes, m.replies, m.records = m.outcomes[:0], m.replies[:0], m.records[:0]
	if cap(m.replies) > 1<<20 {
		m.replies = nil
	}
	if term > m.term {
		m.term = term
		m.next = wire.MakeZxid(m.next.Epoch()+1, 0)
	}
}

// nextZxid hands out a zxid. An epoch whose counter is used up is left, as
// after an election in ZooKeeper.
func (m *Machine) nextZxid() wire.Zxid {
	if m.next.Counter() == 1<<32-1 {
		m.next = wire.MakeZxid(m.next.Epoch()+1, 0)
	}
	m.next++
	return m.next
}

// execute is phase 1.
func (m *Machine) execute(data []byte) error {
	stamp, r, err := openEntry(data)
	if err != nil {
		return err
	}
	m.time = max(m.time, stamp)
	for len(r.b) > 0 {
		r.decode(&m.cmd)
		if r.err != nil {
			return fmt.Errorf("command %d: %w", len(m.outcomes)+1, r.err)
		}
		if m.take(&m.cmd.Origin) {
			m.run(&m.cmd)
		}
	}
	return nil
}

// take decides by its number whether a command is taken.
func (m *Machine) take(o *Origin) bool {
	if o.Member == 0 {
		return true
	}
	last := m.origins[o.Member]
	switch {
	case o.Incarnation < last.incarnation:
		return false
	case o.Incarnation > last.incarnation:
		last = origin{incarnation: o.Incarnation}
	}
	if o.Seq != last.seq+1 {
		return false
	}
	last.seq = o.Seq
	m.origins[o.Member] = last
	m.moved[o.Member] = struct{}{}
	return true
}

const metaSize = 24

// appendRecords returns this package's records of the entry.
func (m *Machine) appendRecords() []znode.Record {
	meta := make([]byte, 0, metaSize)
	meta = binary.BigEndian.AppendUint64(meta, m.term)
	meta = binary.BigEndian.AppendUint64(meta, uint64(m.next))
	meta = binary.BigEndian.AppendUint64(meta, uint64(m.time))
	m.records = append(m.records, znode.Record{Key: []byte{recordMeta}, Value: meta})
	for member := range m.moved {
		o := m.origins[member]
		value := binary.BigEndian.AppendUint64(nil, o.incarnation)
		value = binary.BigEndian.AppendUint64(value, o.seq)
		m.records = append(m.records, znode.Record{Key: recordKey(recordOrigin, member), Value: value})
	}
	clear(m.moved)
	m.sessions.Changed(func(f *session.Facts, open bool) {
		rec := znode.Record{Key: recordKey(recordSession, uint64(f.ID))}
		if open {
			rec.Value = f.AppendTo(nil)
		}
		m.records = append(m.records, rec)
	})
	return m.records
}

func recordKey(kind byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, id)
}

// publish is phase 3.
func (m *Machine) publish(index uint64, sink Sink) {
	m.tree.Commit()
	m.sessions.Commit()
	m.zxid = m.next
	m.lastZxid.Store(int64(m.zxid))
	m.applied.Store(index)
	events := m.tree.Events()
	done := 0
	for i := range m.outcomes {
		o := &m.outcomes[i]
		for ; done < o.events; done++ {
			e := &events[done]
			m.change = watch.Change{Type: e.Type, Path: e.Path, Zxid: e.Zxid, ACL: e.ACL.Entries(), ParentACL: e.ParentACL.Entries()}
			sink.Change(&m.change)
		}
		m.report(o, sink)
	}
	m.change = watch.Change{}
}

func (m *Machine) report(o *outcome, sink Sink) {
	switch o.kind {
	case opened:
		sink.SessionOpened(&o.facts)
	case closed:
		sink.SessionClosed(o.facts.ID)
	case attached:
		sink.SessionMoved(&o.facts)
	}
	if !o.own {
		return
	}
	m.result = Result{Err: o.err, Zxid: o.zxid, Body: m.replies[o.reply[0]:o.reply[1]], Drop: o.drop, Facts: o.facts}
	m.cmd = Command{Origin: o.origin, Session: o.session, Xid: o.xid, Op: o.op, Identities: m.cmd.Identities[:0]}
	sink.Result(&m.cmd, &m.result)
}
