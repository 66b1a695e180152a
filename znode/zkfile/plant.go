package zkfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"holt/wire"
	"holt/znode"
)

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
