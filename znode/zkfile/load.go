package zkfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"holt/wire"
	"holt/znode"
)

// snapshotsTried is how many snapshots are tried at most, the newest first.
// ZooKeeper: FileSnap.deserialize.
const snapshotsTried = 100

// changesMax is how many nodes go to the tree's store as one batch.
const changesMax = 4096

// LoadOptions say how files become a tree. The zero value means as in ZooKeeper.
type LoadOptions struct {
	// TrustEmptySnapshot replays logs onto an empty tree if there is no snapshot
	// (zookeeper.snapshot.trust.empty).
	TrustEmptySnapshot bool
	// Emulate353TTL takes TTL nodes of 3.5.3 for what they are (zookeeper.emulate353TTLNodes).
	Emulate353TTL bool
	// Salvage takes what comes before damage in a log, instead of refusing the log.
	Salvage bool
	// Progress is told now and then how many bytes of how many were read. May be nil.
	Progress func(done, total int64)
}

// Loaded is what came of the files.
type Loaded struct {
	Snapshot File // Path is "" if there was none
	Logs     []File
	// Refused are the newer snapshots that were damaged.
	Refused []error
	// Zxid is that of the last transaction, and TimeMillis its time (0 if there was none after the snapshot).
	Zxid       wire.Zxid
	TimeMillis int64
	// Txns were replayed, out of which Failed had done nothing and Stale were in the snapshot already.
	Txns, Failed, Stale int64
	// Newest is the greatest zxid that the snapshot tells of.
	Newest wire.Zxid
	// Sessions are those that live at the end, with their timeouts in ms.
	Sessions map[wire.SessionID]int32
	// Orphaned are the sessions that nothing is known of, whose ephemeral nodes were deleted.
	Orphaned []wire.SessionID
	// MissingACLs counts the nodes of the snapshot without a list.
	MissingACLs int64
	// DigestZxid is the last transaction after which the tree had the digest that ZooKeeper
	// noted; 0 if none was compared. DigestDiffers is the last one after which it had another,
	// DigestDiffered the first.
	DigestZxid, DigestDiffers, DigestDiffered wire.Zxid
	// Salvaged is the damage that replay stopped at.
	Salvaged error
}

// Load makes a tree of the newest snapshot that is whole and the logs after it. fresh
// returns an empty tree, and is called again for every snapshot that turns out to be
// damaged. The tree's store holds all of it when Load returns; what is durable is the caller's to see to.
func Load(fresh func() (*znode.Tree, error), d *Dir, o LoadOptions) (*znode.Tree, *Loaded, error) {
	l := &loader{o: o, dir: d, out: Loaded{Sessions: make(map[wire.SessionID]int32)}}
	if err := l.snapshot(fresh); err != nil {
		return nil, nil, err
	}
	if err := l.replay(); err != nil {
		return nil, nil, err
	}
	if err := l.end(); err != nil {
		return nil, nil, err
	}
	return l.tree, &l.out, nil
}

// LoadSnapshot makes a tree of one snapshot, without logs. tree must be empty.
func LoadSnapshot(tree *znode.Tree, r io.Reader, o LoadOptions) (*Loaded, error) {
	l := &loader{o: o, tree: tree, out: Loaded{Sessions: make(map[wire.SessionID]int32)}}
	if err := l.plant(r); err != nil {
		return nil, err
	}
	l.out.Zxid = l.trailer.LastZxid
	if d := l.trailer.Digest; d != nil {
		l.out.Zxid = max(l.out.Zxid, d.Zxid)
		if err := l.compare(d.Zxid, d, false); err != nil {
			return nil, err
		}
	}
	l.out.Newest = max(l.out.Newest, l.out.Zxid)
	return &l.out, l.end()
}

type loader struct {
	o       LoadOptions
	dir     *Dir
	tree    *znode.Tree
	out     Loaded
	trailer Trailer
	fuzzy   bool // the tree may hold what comes later
	total   int64
	done    int64 // of former files
	digest  *Digest
}

// snapshot finds the newest snapshot that can be read and plants it.
func (l *loader) snapshot(fresh func() (*znode.Tree, error)) error {
	for _, f := range l.dir.Snapshots[:min(len(l.dir.Snapshots), snapshotsTried)] {
		var err error
		if l.tree, err = fresh(); err != nil {
			return err
		}
		l.measure(f)
		err = l.plantFile(f)
		if err == nil {
			l.out.Snapshot, l.out.Zxid = f, f.Zxid
			return nil
		}
		if !errors.As(err, new(*DamageError)) {
			return err
		}
		l.out.Refused = append(l.out.Refused, err)
	}
	if len(l.out.Refused) > 0 {
		return fmt.Errorf("no snapshot is whole: %w", errors.Join(l.out.Refused...))
	}
	if !l.o.TrustEmptySnapshot {
		return errors.New("there are transaction logs but no snapshot: what was before them is missing; " +
			"if nothing was, as with logs of 3.4 that never took a snapshot, say so (--trust-empty-snapshot)")
	}
	l.measure(File{})
	var err error
	l.tree, err = fresh()
	return err
}

func (l *loader) measure(snapshot File) {
	l.total, l.done = snapshot.Size, 0
	for _, f := range l.dir.logsFrom(snapshot.Zxid + 1) {
		l.total += f.Size
	}
}

func (l *loader) plantFile(f File) (err error) {
	r, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	clear(l.out.Sessions)
	l.out.MissingACLs, l.out.Newest = 0, 0
	if err := l.plant(&progressReader{r: r, l: l}); err != nil {
		return named(f.Path, err)
	}
	l.done += f.Size
	return nil
}

// plant puts all of a snapshot into the tree.
func (l *loader) plant(r io.Reader) error {
	s, err := NewSnapshotReader(r)
	if err != nil {
		return err
	}
	for _, session := range s.Sessions() {
		l.out.Sessions[session.ID] = session.TimeoutMillis
	}
	l.tree.Begin(0, 0)
	for {
		at := s.in.offset()
		n, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if n.ACL == missingACL {
			l.out.MissingACLs++
		}
		n.Owner = l.owner(n.Owner)
		l.out.Newest = max(l.out.Newest, n.Czxid, n.Mzxid, n.Pzxid)
		switch code := l.tree.Plant(n); code {
		case wire.OK:
		case wire.ErrNoNode:
			return &DamageError{Offset: at, Err: fmt.Errorf("%q comes before its parent", n.Path)}
		case wire.ErrNodeExists:
			return &DamageError{Offset: at, Err: fmt.Errorf("%q comes twice", n.Path)}
		case wire.ErrNoChildrenForEphemerals:
			return &DamageError{Offset: at, Err: fmt.Errorf("%q is the child of an ephemeral node; if that has a TTL and 3.5.3 made it, say so (--emulate-353-ttl)", n.Path)}
		default:
			return l.commit() // which says what is wrong with the store
		}
		if err := l.commitAt(changesMax); err != nil {
			return err
		}
	}
	if err := l.commit(); err != nil {
		return err
	}
	l.tree.Begin(0, 0)
	if err := l.tree.RecountQuotas(); err != nil {
		return err
	}
	l.trailer = s.Trailer()
	l.fuzzy = true
	l.digest = l.trailer.Digest
	return l.commit()
}

// owner translates what 3.5.3 wrote for nodes with a TTL: a negative number instead of a top byte.
func (l *loader) owner(o znode.Owner) znode.Owner {
	if _, ok := o.TTL(); ok || !l.o.Emulate353TTL || o >= 0 || o.IsContainer() {
		return o
	}
	return znode.OwnerTTL(int64(o) & (1<<63 - 1))
}

func (l *loader) commitAt(changes int) error {
	if l.tree.Changed() < changes {
		return nil
	}
	return l.commit()
}

func (l *loader) commit() error {
	if err := l.tree.Prepare(0, nil); err != nil {
		return err
	}
	l.tree.Commit()
	return nil
}

// replay carries out what the logs hold after the snapshot.
func (l *loader) replay() error {
	if l.trailer.Digest == nil {
		l.fuzzy = false
	}
	if err := l.compare(l.out.Zxid, l.digest, false); err != nil {
		return err
	}
	for _, f := range l.dir.logsFrom(l.out.Zxid + 1) {
		l.out.Logs = append(l.out.Logs, f)
		err := l.replayFile(f)
		if err != nil && l.o.Salvage && errors.As(err, new(*DamageError)) {
			l.out.Salvaged = err
			break
		}
		if err != nil {
			return err
		}
	}
	return l.commit()
}

func (l *loader) replayFile(f File) (err error) {
	r, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	logs, err := NewLogReader(bufio.NewReader(&progressReader{r: r, l: l}))
	if err != nil {
		return named(f.Path, err)
	}
	var t, last Txn
	for {
		err := logs.Next(&t)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return named(f.Path, err)
		}
		if t.Zxid <= l.out.Snapshot.Zxid && l.out.Snapshot.Path != "" {
			continue
		}
		if err := l.step(&t); err != nil {
			return named(f.Path, err)
		}
		if t.Op.Type != wire.OpError { // which changes nothing, and has no digest
			last = Txn{Zxid: t.Zxid, Digest: t.Digest}
		}
	}
	l.done += f.Size
	return l.compare(last.Zxid, last.Digest, last.Digest != nil)
}

// step replays one transaction.
func (l *loader) step(t *Txn) error {
	l.tree.Begin(t.Zxid, t.TimeMillis)
	l.out.Txns++
	l.txn(t)
	l.out.Zxid, l.out.TimeMillis = max(l.out.Zxid, t.Zxid), max(l.out.TimeMillis, t.TimeMillis)
	if d := l.digest; l.fuzzy && d != nil && t.Zxid >= d.Zxid {
		// From here on the tree is one that was.
		l.fuzzy = false
		if t.Zxid == d.Zxid {
			return l.compare(t.Zxid, d, true)
		}
	}
	if l.tree.Changed() < changesMax {
		return nil
	}
	return l.compare(t.Zxid, t.Digest, true)
}

// compare commits and has a look whether the tree is what ZooKeeper says it was after a transaction.
// While it may hold what came later, only the digest in the snapshot says something.
func (l *loader) compare(zxid wire.Zxid, d *Digest, commit bool) error {
	if commit {
		if err := l.commit(); err != nil {
			return err
		}
	}
	const known = 2
	if d == nil || d.Zxid != zxid || d.Version != known || l.fuzzy && d != l.digest {
		return nil
	}
	l.fuzzy = false
	if l.tree.Counts().Digest == d.Value {
		l.out.DigestZxid = zxid
	} else {
		l.out.DigestDiffers = zxid
		if l.out.DigestDiffered == 0 {
			l.out.DigestDiffered = zxid
		}
	}
	return nil
}

// txn is ZooKeeper's FileTxnSnapLog.processTransaction.
func (l *loader) txn(t *Txn) {
	switch t.Op.Type {
	case wire.OpCreateSession:
		l.out.Sessions[t.Session] = t.Op.TimeoutMillis
	case wire.OpCloseSession:
		delete(l.out.Sessions, t.Session)
		l.closeSession(t)
	case wire.OpError:
		l.out.Failed++
	case wire.OpMulti:
		if t.Op.Failed() {
			l.out.Failed++
			return
		}
		for i := range t.Op.Ops {
			l.op(t.Session, &t.Op.Ops[i])
		}
	default:
		l.op(t.Session, &t.Op)
	}
}

// closeSession deletes the paths in the transaction, and what else the session has by now.
func (l *loader) closeSession(t *Txn) {
	for _, path := range t.Op.Paths {
		l.stale(l.tree.ReplayDelete(path))
	}
	for _, path := range l.tree.EphemeralsNow(t.Session) {
		l.tree.ReplayDelete(path)
	}
}

// op is ZooKeeper's DataTree.processTxn. What cannot be done is in the tree already.
func (l *loader) op(session wire.SessionID, o *Op) {
	var code wire.ErrCode
	switch o.Type {
	case wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		code = l.create(session, o)
	case wire.OpDelete, wire.OpDeleteContainer:
		code = l.tree.ReplayDelete(o.Path)
	case wire.OpSetData, wire.OpReconfig:
		code = l.tree.ReplaySetData(o.Path, o.Data, o.Version)
	case wire.OpSetACL:
		code = l.tree.ReplaySetACL(o.Path, o.ACL, o.Version)
	}
	l.stale(code)
}

func (l *loader) create(session wire.SessionID, o *Op) wire.ErrCode {
	var owner znode.Owner
	switch {
	case o.Type == wire.OpCreateContainer:
		owner = znode.OwnerContainer
	case o.Type == wire.OpCreateTTL:
		owner = znode.OwnerTTL(o.TTLMillis)
	case o.Ephemeral:
		owner = znode.Owner(session)
	}
	if !plausible(o.Path) {
		return wire.ErrBadArguments // no server wrote this
	}
	code := l.tree.ReplayCreate(o.Path, o.Data, o.ACL, owner, o.ParentCversion)
	if code == wire.ErrNodeExists && o.Type == wire.OpCreate {
		l.tree.ReplayCversion(znode.Parent(o.Path), o.ParentCversion)
	}
	return code
}

func (l *loader) stale(code wire.ErrCode) {
	if code != wire.OK {
		l.out.Stale++
	}
}

// end deletes the ephemeral nodes of sessions that are not, as ZooKeeper does when it starts to serve.
// (ZooKeeperServer.loadData)
func (l *loader) end() error {
	orphaned := make(map[wire.SessionID]bool)
	err := l.tree.EachEphemeral(func(s wire.SessionID, _ []byte) bool {
		if _, ok := l.out.Sessions[s]; !ok {
			orphaned[s] = true
		}
		return true
	})
	if err != nil {
		return err
	}
	l.out.Orphaned = slices.Sorted(maps.Keys(orphaned))
	for _, s := range l.out.Orphaned {
		l.tree.Begin(l.out.Zxid, l.out.TimeMillis)
		l.tree.CloseSession(s)
		if err := l.commit(); err != nil {
			return err
		}
	}
	return nil
}

// progressReader tells how far a file was read.
type progressReader struct {
	r    io.Reader
	l    *loader
	read int64
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.read += int64(n)
	if f := p.l.o.Progress; f != nil {
		f(p.l.done+p.read, p.l.total)
	}
	return n, err
}
