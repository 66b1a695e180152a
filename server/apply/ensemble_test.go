package apply

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode/store"
	"holt/znode/znodetest"
)

// ensemble is several machines that apply the same log. They are as different as members may
// be, and must never differ in what they hold and tell.
type ensemble struct {
	members []*member
	log     []logEntry
}

type logEntry struct {
	term uint64
	data []byte
}

// member is one machine with its store.
type member struct {
	id          uint64
	incarnation uint64
	seq         uint64 // of the last command it sent
	fs          vfs.FS
	opts        store.Options
	restart     bool   // after every entry
	begun       uint64 // number of the command that began its last staging
	tree        testRestorer
	st          *store.Store
	m           *Machine
	rec         recorder
}

// newEnsemble has three members: an ordinary one, one whose cache holds hardly
// anything and whose memtables are small, and one that restarts after every entry.
func newEnsemble() (*ensemble, error) {
	e := &ensemble{}
	for id, kind := range []struct {
		opts    store.Options
		restart bool
	}{
		{},
		{opts: store.Options{CacheBytes: 1, BlockCacheBytes: 1 << 16, MemTableBytes: 64 << 10, PageIndexMin: 4}},
		{restart: true},
	} {
		m := &member{id: uint64(id + 1), fs: vfs.NewCrashableMem(), opts: kind.opts, restart: kind.restart}
		e.members = append(e.members, m)
		if err := m.open(); err != nil {
			return nil, errors.Join(err, e.close())
		}
	}
	return e, nil
}

func (e *ensemble) close() error {
	var errs []error
	for _, m := range e.members {
		if m.st != nil {
			errs = append(errs, m.st.Close())
		}
	}
	return errors.Join(errs...)
}

// open starts the member, in its next incarnation.
func (m *member) open() (err error) {
	m.opts.FS = m.fs
	m.tree.m = m
	if m.st, err = store.Open(m.tree.dir(), m.opts); err != nil {
		return err
	}
	m.incarnation++
	m.seq = 0
	m.m, err = Open(m.st, Config{Member: m.id, Incarnation: m.incarnation, Restorer: &m.tree})
	return err
}

// crash takes away what is not on disk, and perhaps part of what the operating system still holds;
// the member then has to be told the log again from where it is.
func (m *member) crash(r *rand.Rand) error {
	clone := m.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
	if err := m.st.Close(); err != nil {
		return err
	}
	m.fs = clone
	return m.open()
}

// replay applies what the member has not of the log.
func (m *member) replay(log []logEntry) error {
	for i := m.m.Applied(); i < uint64(len(log)); i++ {
		if err := m.m.Apply(i+1, log[i].term, log[i].data, &m.rec); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) reopen() error {
	if err := m.st.Close(); err != nil {
		return err
	}
	return m.open()
}

// next gives a command the member's next number.
func (m *member) next(c *Command) {
	m.seq++
	c.Origin = Origin{Member: m.id, Incarnation: m.incarnation, Seq: m.seq}
}

// apply has all members apply an entry and returns what they told their sinks.
func (e *ensemble) apply(term uint64, data []byte) (string, error) {
	e.log = append(e.log, logEntry{term, data})
	for _, m := range e.members {
		if err := m.apply(uint64(len(e.log)), term, data); err != nil {
			return "", fmt.Errorf("member %d: %w", m.id, err)
		}
	}
	return e.told()
}

func (m *member) apply(index, term uint64, data []byte) error {
	m.rec.notes = nil
	if err := m.m.Apply(index, term, data, &m.rec); err != nil {
		return err
	}
	if m.restart {
		return m.reopen()
	}
	return nil
}

// told merges what the members' sinks were told: results are told to one of
// them only, the rest must be the same.
func (e *ensemble) told() (string, error) {
	var common []string
	var results [][]note // before each common note, and at the end
	for i, m := range e.members {
		k := 0
		for _, n := range m.rec.notes {
			switch {
			case n.result:
				for len(results) <= k {
					results = append(results, nil)
				}
				results[k] = append(results[k], n)
				continue
			case i == 0:
				common = append(common, n.text)
			case k == len(common) || common[k] != n.text:
				return "", fmt.Errorf("member %d: told %q, but member 1 %q", m.id, n.text, common[min(k, len(common)):])
			}
			k++
		}
		if k != len(common) {
			return "", fmt.Errorf("member %d: was not told %q", m.id, common[k:])
		}
	}
	var b strings.Builder
	for k := range max(len(common)+1, len(results)) {
		if k < len(results) {
			slices.SortStableFunc(results[k], func(a, b note) int { return int(a.zxid - b.zxid) })
			for _, n := range results[k] {
				b.WriteString(n.text + "\n")
			}
		}
		if k < len(common) {
			b.WriteString(common[k] + "\n")
		}
	}
	return b.String(), nil
}

// same compares the complete states of the members and returns that of the first.
func (e *ensemble) same() (string, error) {
	var first string
	for i, m := range e.members {
		d, err := m.dump()
		if err != nil {
			return "", err
		}
		switch {
		case i == 0:
			first = d
		case d != first:
			return "", fmt.Errorf("members 1 and %d differ:\n%s---\n%s", m.id, first, d)
		}
	}
	return first, nil
}

// dump is all that a machine holds, as its readers find it.
func (m *member) dump() (string, error) {
	tree, err := (&znodetest.Env{Tree: m.m.Tree()}).Dump()
	var b strings.Builder
	b.WriteString(tree)
	dumpSessions(&b, m.m.Sessions().All())
	fmt.Fprintf(&b, "applied=%d ", m.m.Applied())
	s := m.m.state
	s.zxid = m.m.LastZxid()
	s.dump(&b)
	if s := m.m.Staging(); s.ID.Member != 0 {
		fmt.Fprintf(&b, "staging of %d, begun by %d: %d of %d bytes in %d chunks, beats %d\n", s.ID.Member, s.ID.Seq, s.Received, s.Bytes, s.Chunks, s.Beats)
	}
	if z := m.m.Restored(); z != 0 {
		fmt.Fprintf(&b, "restored=%s\n", zxidText(z))
	}
	return b.String(), err
}

func dumpSessions(b *strings.Builder, all []session.Facts) {
	slices.SortFunc(all, func(x, y session.Facts) int { return int(x.ID - y.ID) })
	for _, f := range all {
		fmt.Fprintf(b, "session %v timeout=%d owner=%d attached=%d passwd=%x\n", f.ID, f.TimeoutMillis, f.Owner, f.Attached, f.Passwd)
	}
}

func (s *state) dump(b *strings.Builder) {
	fmt.Fprintf(b, "term=%d last=%s time=%d\n", s.term, zxidText(s.zxid), s.millis)
	for _, o := range s.origins {
		fmt.Fprintf(b, "origin %d incarnation=%d seq=%d\n", o.member, o.incarnation, o.seq)
	}
}

// recorder is a sink that writes down what it is told.
type recorder struct{ notes []note }

type note struct {
	text   string
	result bool
	zxid   wire.Zxid
}

func (r *recorder) add(format string, args ...any) {
	r.notes = append(r.notes, note{text: fmt.Sprintf(format, args...)})
}

func (r *recorder) Change(c *watch.Change) {
	s := fmt.Sprintf("%v %s %s", c.Type, c.Path, aclText(c.ACL))
	if len(c.ParentACL) > 0 {
		s += " parent " + aclText(c.ParentACL)
	}
	r.add("%s %s", zxidText(c.Zxid), s)
}

func (r *recorder) SessionOpened(f *session.Facts) { r.add("%s", sessionText("opened", f)) }
func (r *recorder) SessionMoved(f *session.Facts)  { r.add("%s", sessionText("moved", f)) }

func (r *recorder) Restored() { r.add("restored") }

func (r *recorder) SessionClosed(id wire.SessionID) { r.add("session %v closed", id) }

func (r *recorder) Result(c *Command, res *Result) {
	r.notes = append(r.notes, note{resultText(c, res.Zxid, res.Drop, res.Err, bodyText(c.Op, res)), true, res.Zxid})
}

func sessionText(what string, f *session.Facts) string {
	return fmt.Sprintf("session %v %s timeout=%d owner=%d", f.ID, what, f.TimeoutMillis, f.Owner)
}

func resultText(c *Command, zxid wire.Zxid, drop bool, code wire.ErrCode, body string) string {
	text := fmt.Sprintf("> xid=%d %s %s", c.Xid, opText(c.Op), zxidText(zxid))
	if drop {
		text += " dropped"
	}
	text += " " + code.String()
	if body != "" {
		text += " " + body
	}
	return text
}

func zxidText(z wire.Zxid) string { return fmt.Sprintf("%d.%d", z.Epoch(), z.Counter()) }

func aclText(acl []wire.ACL) string {
	var parts []string
	for _, a := range acl {
		parts = append(parts, fmt.Sprintf("%s:%s:%v", a.Scheme, a.ID, a.Perms))
	}
	return strings.Join(parts, ",")
}

func opText(op wire.OpCode) string {
	switch op {
	case OpAttach:
		return "attach"
	case OpStage:
		return "stage"
	case OpRestore:
		return "restore"
	}
	return op.String()
}

func statText(s *wire.Stat) string {
	return fmt.Sprintf("czxid=%s mzxid=%s pzxid=%s ctime=%d mtime=%d v=%d cv=%d av=%d owner=%v len=%d children=%d",
		zxidText(s.Czxid), zxidText(s.Mzxid), zxidText(s.Pzxid), s.Ctime, s.Mtime, s.Version, s.Cversion, s.Aversion,
		wire.SessionID(s.EphemeralOwner), s.DataLength, s.NumChildren)
}

// bodyText decodes a reply; what it does not take in whole is an error.
func bodyText(op wire.OpCode, res *Result) string {
	if op == wire.OpCreateSession || op == OpAttach {
		if res.Err != wire.OK || len(res.Body) > 0 {
			return fmt.Sprintf("%x", res.Body)
		}
		return factsText(&res.Facts)
	}
	d := wire.NewDecoder(res.Body)
	text := ""
	if len(res.Body) > 0 {
		text = replyText(op, d)
	}
	if d.Err() != nil || d.Len() > 0 {
		return fmt.Sprintf("BAD BODY %x", res.Body)
	}
	return text
}

func replyText(op wire.OpCode, d *wire.Decoder) string {
	switch op {
	case wire.OpCreate:
		var r wire.CreateResponse
		r.Decode(d)
		return r.Path
	case wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		var r wire.Create2Response
		r.Decode(d)
		return r.Path + " " + statText(&r.Stat)
	case wire.OpSetData, wire.OpSetACL:
		var s wire.Stat
		s.Decode(d)
		return statText(&s)
	case wire.OpReconfig:
		var r wire.GetDataResponse
		r.Decode(d)
		return fmt.Sprintf("%q %s", r.Data, statText(&r.Stat))
	case wire.OpMulti:
		var r wire.MultiResponse
		r.Decode(d)
		var parts []string
		for _, x := range r.Results {
			parts = append(parts, multiText(&x))
		}
		return "[" + strings.Join(parts, " | ") + "]"
	}
	return "unexpected"
}

func factsText(f *session.Facts) string {
	return fmt.Sprintf("session=%v timeout=%d passwd=%x", f.ID, f.TimeoutMillis, f.Passwd[0])
}

func multiText(r *wire.MultiResult) string {
	switch r.Type {
	case wire.OpError:
		return "error " + r.Err.String()
	case wire.OpCreate:
		return "create " + r.Path
	case wire.OpCreate2:
		return "create2 " + r.Path + " " + statText(&r.Stat)
	case wire.OpSetData:
		return "setData " + statText(&r.Stat)
	}
	return r.Type.String()
}
