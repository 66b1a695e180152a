package apply

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"holt/session"
	"holt/wire"
	"holt/znode"
)

// A restore puts a snapshot in the place of the state, by commands of the member that was asked for it.
//
//	begin(bytes)  ─▶ a staging, in the place of any other
//	chunk(...)... ─▶ records beside the tree, so a checkpoint carries them and a crash
//	keep()           loses no more of them than of anything else
//	restore()     ─▶ one step: tree and sessions are those of the staging, which is gone
//	drop()        ─▶ the staging is gone
//
// The leader drops a staging that nothing was heard of for long. A restore is the only
// command of its entry: what comes before or after it is judged by one state or by the other.
//
// What is there afterwards, on each member the same:
//
//	tree       the snapshot's, but for /zookeeper/config, which goes on saying who the members are;
//	           without the ephemeral nodes of sessions that the snapshot does not know
//	sessions   all that are open, as they are; and those of the snapshot that are not, of no
//	           member, with the password that ZooKeeper gives them: they expire unless their clients come
//	zxid       the next, or the one after the newest in the snapshot if that is greater
//	the rest   as it was: format, progress of members, time, origin

// FormatRestore is the first format with OpStage and OpRestore.
const FormatRestore = 2

// OpStage and OpRestore are commands of a member's own. OpStage takes no zxid.
const (
	OpStage   wire.OpCode = -103
	OpRestore wire.OpCode = -104
)

// Keys of records, the second with the number of a chunk, from 0.
const (
	keyStaging  = "r"
	keyChunk    = "d"
	keyRestored = "z" // the zxid of the last restore
)

// StagingID names a staging: by the command that began it.
type StagingID = Origin

// Staging is a snapshot that is being replicated. The zero value is none.
type Staging struct {
	ID StagingID
	// Bytes is the length of the snapshot, Received how much of it is here.
	Bytes, Received int64
	// Chunks that it came in.
	Chunks uint64
	// Beats counts the signs of life of its member.
	Beats uint64
}

// Complete reports whether all of the snapshot is here.
func (s *Staging) Complete() bool { return s.ID.Member != 0 && s.Received == s.Bytes }

// Kinds of OpStage: the first byte of its body.
const (
	stageBegin = 'b'
	stageChunk = 'c'
	stageKeep  = 'k'
	stageDrop  = 'd'
)

// ChunkMax bounds the bytes of a chunk.
const ChunkMax = 1 << 20

// AppendStageBegin appends the body of an OpStage that begins a staging of so many bytes.
func AppendStageBegin(b []byte, bytes int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, stageBegin), uint64(bytes))
}

// AppendStageChunk appends the body of an OpStage with the bytes of a snapshot from an offset on, at most
// ChunkMax. begun is the number of the command that began it.
func AppendStageChunk(b []byte, begun uint64, offset int64, data []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, stageChunk), begun)
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	return append(b, data...)
}

// AppendStageKeep appends the body of an OpStage that says that the member is still at it.
func AppendStageKeep(b []byte, begun uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, stageKeep), begun)
}

// AppendStageDrop appends the body of a leader's OpStage that drops a staging if it is as given.
func AppendStageDrop(b []byte, s *Staging) []byte { return s.appendTo(append(b, stageDrop)) }

// AppendRestore appends the body of OpRestore.
func AppendRestore(b []byte, begun uint64) []byte { return binary.BigEndian.AppendUint64(b, begun) }

const stagingSize = 7 * 8

func (s *Staging) appendTo(b []byte) []byte {
	for _, v := range [...]uint64{s.ID.Member, s.ID.Incarnation, s.ID.Seq, uint64(s.Bytes), uint64(s.Received), s.Chunks, s.Beats} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeStaging(b []byte) (s Staging, err error) {
	if len(b) != stagingSize {
		return s, fmt.Errorf("staging of %d bytes", len(b))
	}
	u64 := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	s.ID = Origin{u64(0), u64(1), u64(2)}
	s.Bytes, s.Received, s.Chunks, s.Beats = int64(u64(3)), int64(u64(4)), u64(5), u64(6)
	return s, nil
}

// loadRestore reads what there is of restores in a store.
func loadRestore(store Store) (s Staging, restored wire.Zxid, err error) {
	b, err := store.Record([]byte(keyStaging))
	if err == nil && b != nil {
		s, err = decodeStaging(b)
	}
	if err != nil {
		return s, 0, err
	}
	b, err = store.Record([]byte(keyRestored))
	if err == nil && b != nil && len(b) != 8 {
		err = fmt.Errorf("zxid of %d bytes", len(b))
	}
	if err != nil || b == nil {
		return s, 0, err
	}
	return s, wire.Zxid(binary.BigEndian.Uint64(b)), nil
}

func chunkKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte(keyChunk), n) }

// stage serves OpStage of a member.
func (x *execution) stage() wire.ErrCode {
	b := x.cmd.Body
	if len(b) < 9 {
		return wire.ErrMarshallingError
	}
	kind, begun, rest := b[0], binary.BigEndian.Uint64(b[1:]), b[9:]
	s := &x.staging
	if kind == stageBegin {
		if int64(begun) <= 0 || len(rest) > 0 { // begun is the length
			return wire.ErrMarshallingError
		}
		x.unstage()
		*s = Staging{ID: x.cmd.Origin, Bytes: int64(begun)}
		return wire.OK
	}
	if !x.staged(begun) {
		return wire.ErrBadVersion
	}
	switch {
	case kind == stageKeep && len(rest) == 0:
		s.Beats++
		return wire.OK
	case kind != stageChunk || len(rest) <= 8 || len(rest) > 8+ChunkMax:
		return wire.ErrMarshallingError
	}
	offset, data := int64(binary.BigEndian.Uint64(rest)), rest[8:]
	if offset != s.Received || int64(len(data)) > s.Bytes-s.Received {
		return wire.ErrBadArguments
	}
	x.beside = append(x.beside, znode.Record{Key: chunkKey(s.Chunks), Value: data})
	s.Chunks++
	s.Received += int64(len(data))
	return wire.OK
}

// staged reports whether what is staged was begun by a command of the member of the one at hand.
func (x *execution) staged(begun uint64) bool {
	c := &x.cmd
	return x.staging.ID == Origin{Member: c.Member, Incarnation: c.Incarnation, Seq: begun}
}

// unstage drops what is staged.
func (x *execution) unstage() {
	for n := range x.staging.Chunks {
		x.beside = append(x.beside, znode.Record{Key: chunkKey(n)})
	}
	x.staging = Staging{}
}

// dropStaged serves a leader's OpStage.
func (x *execution) dropStaged() wire.ErrCode {
	b := x.cmd.Body
	if len(b) == 0 || b[0] != stageDrop {
		return wire.ErrMarshallingError
	}
	s, err := decodeStaging(b[1:])
	if err != nil || s.ID.Member == 0 {
		return wire.ErrMarshallingError
	}
	if s != x.staging {
		return wire.ErrBadVersion // it goes on
	}
	x.unstage()
	return wire.OK
}

// restore serves OpRestore as far as that can be done before the entry ends: Machine.restore does the rest.
func (x *execution) restore() wire.ErrCode {
	b := x.cmd.Body
	switch {
	case len(b) != 8 || !x.alone:
		return wire.ErrMarshallingError
	case !x.staged(binary.BigEndian.Uint64(b)):
		return wire.ErrBadVersion
	case !x.staging.Complete():
		return wire.ErrBadArguments
	}
	x.start()
	x.restoring = true
	return wire.OK
}

// Restorer makes the stores that restores need. Its methods are called by Apply.
type Restorer interface {
	// Build makes a store of a snapshot beside the present one, or returns what was made of the
	// same staging in advance. Readers go on meanwhile.
	Build(s Staging, snapshot io.Reader) (Restored, error)
	// Switch has the store of the last Build, to whose tree all was committed, take the place of the present
	// one, which it closes, durably and in one step: a crash leaves the one or the other. Readers are held off.
	Switch() (Store, error)
}

// Restored is a snapshot as a store.
type Restored struct {
	// Tree is the snapshot's, without the ephemeral nodes of sessions that it does not know.
	Tree *znode.Tree
	// Sessions are those of the snapshot: ids and timeouts.
	Sessions []session.Facts
	// Newest is the greatest zxid in the snapshot.
	Newest wire.Zxid
}

// errNoRestorer is what ends a program that only reads a member's data.
var errNoRestorer = errors.New("the log's next entry restores a snapshot: start the member and let it do that")

// errUnstaged is what a StagedReader ends in once its staging is gone.
var errUnstaged = errors.New("the staged snapshot is gone")

// Staging is what is staged at present. For any goroutine.
func (m *Machine) Staging() Staging {
	if s := m.staging.Load(); s != nil {
		return *s
	}
	return Staging{}
}

// Restored is the zxid of the last restore, 0 if there was none. Whoever saw nothing later does not know
// what has changed. For any goroutine.
func (m *Machine) Restored() wire.Zxid { return wire.Zxid(m.restored.Load()) }

// restore ends an entry whose command is an OpRestore.
func (m *Machine) restore(index uint64, sink Sink) error {
	if m.cfg.Restorer == nil {
		return errNoRestorer
	}
	x := &m.exec
	b, err := m.cfg.Restorer.Build(x.staging, &chunkReader{m: m, of: x.staging})
	if err != nil {
		return fmt.Errorf("make a tree of the staged snapshot: %w", err)
	}
	if b.Newest >= m.state.zxid {
		m.state.zxid = b.Newest
		m.state.nextZxid()
	}
	if err := m.complete(index, &b); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	store, err := m.cfg.Restorer.Switch()
	if err != nil {
		return fmt.Errorf("take over the restored tree: %w", err)
	}
	if err := m.load(store); err != nil {
		return err
	}
	sink.Restored()
	for i := range x.outcomes {
		if o := &x.outcomes[i]; o.own {
			o.result.Zxid = m.state.zxid
			sink.Result(&o.cmd, &o.result)
		}
	}
	return nil
}

// complete adds to a restored tree what is not the snapshot's, and commits it as the state after the entry.
func (m *Machine) complete(index uint64, b *Restored) error {
	config, err := m.tree.Peek(znode.ConfigPath)
	if err != nil {
		return err
	}
	own := *config
	b.Tree.Begin(m.state.zxid, m.state.millis)
	if code := b.Tree.Plant(&own); code != wire.OK {
		return fmt.Errorf("keep %s: %v", znode.ConfigPath, code)
	}
	records := m.appendRecord(nil, keyState, m.state.appendTo(nil))
	records = m.appendRecord(records, keyRestored, binary.BigEndian.AppendUint64(nil, uint64(m.state.zxid)))
	if m.configured.Load() {
		records = m.appendRecord(records, keyMembers, []byte{1})
	}
	if format := m.format.Load(); format != 0 {
		records = m.appendRecord(records, keyFormat, AppendFormat(nil, format))
	}
	if m.origin != ([OriginSize]byte{}) {
		records = m.appendRecord(records, keyOrigin, m.origin[:])
	}
	for _, f := range m.sessions.All() {
		records = append(records, znode.Record{Key: SessionKey(f.ID), Value: f.AppendTo(nil)})
	}
	for _, f := range b.Sessions {
		if _, open := m.sessions.Get(f.ID); open || f.ID == 0 {
			continue
		}
		f = session.Facts{ID: f.ID, TimeoutMillis: f.TimeoutMillis, Passwd: session.ZooKeeperPasswd(f.ID), Attached: 1}
		records = append(records, znode.Record{Key: SessionKey(f.ID), Value: f.AppendTo(nil)})
	}
	if err := b.Tree.Prepare(index, records); err != nil {
		return err
	}
	b.Tree.Commit()
	return nil
}

func (m *Machine) appendRecord(records []znode.Record, key string, value []byte) []znode.Record {
	return append(records, znode.Record{Key: []byte(key), Value: value})
}

// StagedReader reads a staging that is complete. It is for one goroutine other than the applying
// one; reading fails once the staging is gone.
func (m *Machine) StagedReader(s Staging) io.Reader { return &chunkReader{m: m, of: s, locks: true} }

// chunkReader reads the chunks of a staging one after the other.
type chunkReader struct {
	m     *Machine
	of    Staging
	locks bool // the machine, against the applying goroutine
	next  uint64
	rest  []byte
}

func (r *chunkReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == r.of.Chunks {
			return 0, io.EOF
		}
		chunk, err := r.chunk(r.next)
		if err != nil {
			return 0, err
		}
		r.rest = chunk
		r.next++
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *chunkReader) chunk(n uint64) ([]byte, error) {
	if r.locks {
		r.m.RLock()
		defer r.m.RUnlock()
	}
	if r.m.Staging().ID != r.of.ID {
		return nil, errUnstaged
	}
	b, err := r.m.store.Record(chunkKey(n))
	if err == nil && b == nil {
		err = fmt.Errorf("chunk %d of a staged snapshot is missing", n)
	}
	return b, err
}
