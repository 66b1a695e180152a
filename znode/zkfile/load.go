package zkfile

import (
	"io"
	"maps"
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
	// Gaps are the places where the logs lack transactions, gapsMax of them at most: a file is missing.
	Gaps []Gap
	// Salvaged is the damage that replay stopped at.
	Salvaged error
}

// gapsMax bounds Loaded.Gaps.
const gapsMax = 100

// Gap is between two transactions that follow each other in the files, and did not when they were made.
type Gap struct{ After, Before wire.Zxid }

// follows reports whether nothing is missing between two transactions: zxids are given out one by one, and
// begin anew with 1 in each epoch. That the end of an epoch is missing nobody can tell.
func follows(before, after wire.Zxid) bool {
	return after <= before+1 || after.Epoch() > before.Epoch() && uint32(after) == 1
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
	fuzzy   bool      // the tree may hold what comes later
	at      wire.Zxid // of the snapshot's name or the last transaction after it: none before is missing
	total   int64
	done    int64 // of former files
	digest  *Digest
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
