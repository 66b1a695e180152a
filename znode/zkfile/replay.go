package zkfile

import (
	"bufio"
	"errors"
	"io"
	"os"

	"holt/wire"
	"holt/znode"
)

// replay carries out what the logs hold after the snapshot.
func (l *loader) replay() error {
	if l.trailer.Digest == nil {
		l.fuzzy = false
	}
	if err := l.compare(l.out.Zxid, l.digest, false); err != nil {
		return err
	}
	l.at = l.out.Snapshot.Zxid
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
		if !follows(l.at, t.Zxid) && len(l.out.Gaps) < gapsMax {
			l.out.Gaps = append(l.out.Gaps, Gap{l.at, t.Zxid})
		}
		l.at = max(l.at, t.Zxid)
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
