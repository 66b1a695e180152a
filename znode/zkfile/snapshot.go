package zkfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"holt/wire"
	"holt/znode"
)

const (
	snapshotMagic  = 0x5a4b534e // "ZKSN"
	formatVersion  = 2
	snapshotDBID   = -1
	listOpen       = -1 // key of the list that is not stored
	sealSize       = 8 + 4 + 1
	digestSize     = 8 + 4 + 8
	lastZxidSize   = 8
	aclEntriesMax  = 1 << 20
	sessionRecords = 1 << 16 // what is allocated on the word of a count
)

// Session is what a snapshot says of one. Its password follows from the id, see session.ZooKeeperPasswd.
type Session struct {
	ID            wire.SessionID
	TimeoutMillis int32
}

// Digest is the digest of the tree after a transaction.
type Digest struct {
	Zxid    wire.Zxid
	Version int32 // 2 is that of znode.Counts
	Value   uint64
}

// Trailer is what later versions write after the nodes.
type Trailer struct {
	// Digest is nil if the writer had digests off, or knew none.
	Digest *Digest
	// LastZxid is that of the last transaction known to be in the snapshot, 0 if it was not told.
	LastZxid wire.Zxid
}

// missingACL is that of nodes whose list is not in the snapshot. ZooKeeper ends in
// an exception when it serves them; here nobody but a super user gets at them until the list is set anew.
var missingACL = znode.NewACL([]wire.ACL{{Perms: 0, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}})

// SnapshotReader reads a snapshot node by node.
type SnapshotReader struct {
	in       *input
	sessions []Session
	lists    map[int64]*znode.ACL
	nodes    int64
	trailer  Trailer
	done     bool
	err      error
}

// NewSnapshotReader reads what comes before the nodes. r need not be buffered
// and may be compressed. The error is a *DamageError if what r holds is none, or damaged.
func NewSnapshotReader(r io.Reader) (*SnapshotReader, error) {
	plain, err := decompress(r)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	s := &SnapshotReader{in: newInput(plain), lists: map[int64]*znode.ACL{listOpen: znode.OpenACL()}}
	s.readHead()
	if s.in.err != nil {
		return nil, fmt.Errorf("read snapshot: %w", s.in.err)
	}
	return s, nil
}

func (s *SnapshotReader) readHead() {
	in := s.in
	if magic := in.int32(); in.err == nil && magic != snapshotMagic {
		in.pos = 0
		in.fail(fmt.Errorf("it begins with %08x, not as a snapshot", uint32(magic)))
		return
	}
	if v := in.int32(); in.err == nil && v != formatVersion {
		in.fail(fmt.Errorf("format version %d, want %d", v, formatVersion))
		return
	}
	in.int64() // dbid
	n := in.int32()
	s.sessions = make([]Session, 0, min(max(n, 0), sessionRecords))
	for ; n > 0 && in.err == nil; n-- {
		s.sessions = append(s.sessions, Session{wire.SessionID(in.int64()), in.int32()})
	}
	for n = in.int32(); n > 0 && in.err == nil; n-- {
		key := in.int64()
		s.lists[key] = znode.NewACL(s.readACL())
	}
}

func (s *SnapshotReader) readACL() []wire.ACL {
	in := s.in
	n := in.int32()
	if n > aclEntriesMax {
		in.fail(errLength)
	}
	var acl []wire.ACL
	for ; n > 0 && in.err == nil; n-- {
		a := wire.ACL{Perms: wire.Perms(in.int32())}
		a.Scheme = string(in.buffer())
		a.ID = string(in.buffer())
		acl = append(acl, a)
	}
	return acl
}

// Sessions are those of the snapshot, shared. A session that began while it was written may not be among them.
func (s *SnapshotReader) Sessions() []Session { return s.sessions }

// Trailer is complete once Next has returned io.EOF.
func (s *SnapshotReader) Trailer() Trailer { return s.trailer }

// Next returns the next node, parents before their children, the root first. It is
// the caller's; its NumChildren is 0. It returns io.EOF after the last one, when
// all checksums were found right: what came before is not to be relied on earlier.
func (s *SnapshotReader) Next() (*znode.Node, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.done {
		return nil, io.EOF
	}
	n := s.readNode()
	if s.done && s.in.err == nil {
		s.readTrailer()
	}
	if err := s.in.err; err != nil {
		if d := (*DamageError)(nil); errors.As(err, &d) {
			d.Saved = fmt.Sprintf("%d nodes come before that place, of which nothing says whether they are whole: use an older snapshot", s.nodes)
		}
		s.err = fmt.Errorf("read snapshot: %w", err)
		return nil, s.err
	}
	if s.done {
		return nil, io.EOF
	}
	s.nodes++
	return n, nil
}

func (s *SnapshotReader) readNode() *znode.Node {
	in := s.in
	at := in.offset()
	path := string(in.buffer())
	if path == znode.Root {
		s.done = true
		return nil
	}
	if in.err == nil && (path == "") != (s.nodes == 0) {
		in.err = &DamageError{Offset: at, Err: errors.New("the root is not the first node, or not the only one without a name")}
	}
	if path == "" {
		path = znode.Root
	} else if in.err == nil && !plausible(path) {
		in.err = &DamageError{Offset: at, Err: fmt.Errorf("%.100q is no path", path)}
	}
	n := new(znode.Node)
	n.SetContents(path, in.buffer())
	key := in.int64()
	n.Czxid, n.Mzxid = wire.Zxid(in.int64()), wire.Zxid(in.int64())
	n.Ctime, n.Mtime = in.int64(), in.int64()
	n.Version, n.Cversion, n.Aversion = in.int32(), in.int32(), in.int32()
	n.Owner = znode.Owner(in.int64())
	n.Pzxid = wire.Zxid(in.int64())
	var ok bool
	if n.ACL, ok = s.lists[key]; !ok {
		n.ACL = missingACL
	}
	return n
}

// plausible reports whether path can be kept in a tree. Which paths clients may create has
// changed over the releases, so this asks for no more than that.
func plausible(path string) bool {
	return len(path) > 1 && path[0] == '/' && path[len(path)-1] != '/' && !strings.Contains(path, "//") && strings.IndexByte(path, 0) < 0
}

// readSeal compares the checksum of all before it.
func (s *SnapshotReader) readSeal() {
	in := s.in
	want := in.checksum()
	at := in.offset()
	got := in.int64()
	if name := in.buffer(); in.err == nil && (got != int64(want) || string(name) != znode.Root) {
		in.err = &DamageError{Offset: at, Err: fmt.Errorf("%w: 0x%x, want 0x%x", errSeal, got, want)}
	}
}

// readTrailer reads the first seal and what may follow. Which of the
// parts are there shows in how many bytes are.
func (s *SnapshotReader) readTrailer() {
	in := s.in
	s.readSeal()
	if in.err != nil {
		return
	}
	left, ok := in.rest(digestSize + sealSize + lastZxidSize + sealSize)
	if !ok {
		in.fail(errors.New("more follows the end of the snapshot than any version writes"))
		return
	}
	n := len(left)
	if n >= digestSize+sealSize {
		d := Digest{wire.Zxid(in.int64()), in.int32(), uint64(in.int64())}
		if d.Zxid > 0 {
			s.trailer.Digest = &d
		}
		s.readSeal()
		n -= digestSize + sealSize
	}
	if n == lastZxidSize+sealSize {
		s.trailer.LastZxid = wire.Zxid(in.int64())
		s.readSeal()
		n = 0
	}
	if n != 0 && in.err == nil {
		in.fail(errCut)
	}
}

// SnapshotHead is what a snapshot holds besides its nodes.
type SnapshotHead struct {
	Sessions []Session
	// Lists are those of all nodes that will follow. Lists that no node has
	// do no harm. The open one need not be among them.
	Lists []*znode.ACL
	// Digest is written if it is not nil, and LastZxid if it is not 0. Versions
	// before 3.6 and 3.9 do not know them, and read past them.
	Digest   *Digest
	LastZxid wire.Zxid
	// Compression is around all of it.
	Compression Compression
}

// SnapshotWriter writes a snapshot node by node.
type SnapshotWriter struct {
	out  *output
	z    io.WriteCloser
	head SnapshotHead
	keys map[*znode.ACL]int64
	same map[string]int64 // by encoding: lists that are equal are one, as in the original
	acl  []byte
}

// NewSnapshotWriter writes what comes before the nodes. The caller syncs and closes w.
func NewSnapshotWriter(w io.Writer, head SnapshotHead) (*SnapshotWriter, error) {
	z, err := compress(w, head.Compression)
	if err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	s := &SnapshotWriter{
		out: newOutput(z), z: z, head: head,
		keys: map[*znode.ACL]int64{znode.OpenACL(): listOpen}, same: make(map[string]int64),
	}
	b := s.out.buf
	b = wire.AppendInt32(b, snapshotMagic)
	b = wire.AppendInt32(b, formatVersion)
	dbid := int64(snapshotDBID)
	b = wire.AppendInt64(b, dbid)
	b = wire.AppendInt32(b, int32(len(head.Sessions)))
	for _, session := range head.Sessions {
		b = wire.AppendInt64(b, int64(session.ID))
		b = wire.AppendInt32(b, session.TimeoutMillis)
	}
	s.out.buf = s.appendLists(b)
	return s, s.out.flush(0)
}

func (s *SnapshotWriter) appendLists(b []byte) []byte {
	mark := len(b)
	b = wire.AppendInt32(b, 0)
	for _, list := range s.head.Lists {
		if _, ok := s.keys[list]; ok {
			continue
		}
		s.acl = wire.AppendACLs(s.acl[:0], nonNil(list.Entries()))
		key, ok := s.same[string(s.acl)]
		if !ok {
			key = int64(len(s.same) + 1)
			s.same[string(s.acl)] = key
			b = wire.AppendInt64(b, key)
			b = append(b, s.acl...)
		}
		s.keys[list] = key
	}
	binary.BigEndian.PutUint32(b[mark:], uint32(len(s.same)))
	return b
}

// nonNil keeps the empty list from being written as null, which the original cannot read.
func nonNil(acl []wire.ACL) []wire.ACL {
	if acl == nil {
		return []wire.ACL{}
	}
	return acl
}

// Add writes a node. The root comes first and a parent before its children.
func (s *SnapshotWriter) Add(n *znode.Node) error {
	key, ok := s.keys[n.ACL]
	if !ok {
		s.acl = wire.AppendACLs(s.acl[:0], nonNil(n.ACL.Entries()))
		if key, ok = s.same[string(s.acl)]; !ok {
			return fmt.Errorf("write snapshot: the list of %q is not among those announced", n.Path)
		}
	}
	path := n.Path
	if path == znode.Root {
		path = ""
	}
	b := s.out.buf
	b = wire.AppendString(b, path)
	b = wire.AppendBuffer(b, n.Data)
	b = wire.AppendInt64(b, key)
	for _, v := range [...]int64{int64(n.Czxid), int64(n.Mzxid), n.Ctime, n.Mtime} {
		b = wire.AppendInt64(b, v)
	}
	for _, v := range [...]int32{n.Version, n.Cversion, n.Aversion} {
		b = wire.AppendInt32(b, v)
	}
	b = wire.AppendInt64(b, int64(n.Owner))
	s.out.buf = wire.AppendInt64(b, int64(n.Pzxid))
	return s.out.flush(outputBuffer)
}

// Close ends the snapshot. Without it there is none.
func (s *SnapshotWriter) Close() error {
	o := s.out
	o.buf = wire.AppendString(o.buf, znode.Root)
	o.seal()
	if d := s.head.Digest; d != nil {
		o.buf = wire.AppendInt64(o.buf, int64(d.Zxid))
		o.buf = wire.AppendInt32(o.buf, d.Version)
		o.buf = wire.AppendInt64(o.buf, int64(d.Value))
		o.seal()
	}
	if s.head.LastZxid != 0 {
		o.buf = wire.AppendInt64(o.buf, int64(s.head.LastZxid))
		o.seal()
	}
	return errors.Join(o.flush(0), s.z.Close())
}
