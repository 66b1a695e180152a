package server

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/server/apply"
	"holt/session"
	"holt/wire"
	"holt/znode"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// Every member makes a tree of a staged snapshot as soon as all of it is there, beside its work, so that the
// entry that restores it has little left to do. A member that comes by that entry without, as one that
// repeats its log, makes the tree then.
//
//	dataDir/tree-8/   built meanwhile; removed at the start if tree.current does not name it

// rebuild is a tree of a staged snapshot in the making.
type rebuild struct {
	s        *Server
	of       apply.Staging
	dir      string
	snapshot io.Reader
	halt     chan struct{} // closed to end it early
	halting  sync.Once
	begun    atomic.Bool
	done     chan struct{} // closed when the rest is set

	builtTree
	err error
}

// builtTree is a tree made of a snapshot, with the store that holds it.
type builtTree struct {
	store  *store.Store // nil if there was an error
	tree   *znode.Tree
	loaded *zkfile.Loaded
}

var errRebuildHalted = errors.New("halted")

// haltingReader fails once the rebuild is halted, or the member ends.
type haltingReader struct {
	r          io.Reader
	halt, stop <-chan struct{}
}

func (h *haltingReader) Read(b []byte) (int, error) {
	select {
	case <-h.halt:
		return 0, errRebuildHalted
	case <-h.stop:
		return 0, errRebuildHalted
	default:
		return h.r.Read(b)
	}
}

// run builds, unless somebody does so or has: then it waits for the end of that.
func (b *rebuild) run() {
	if !b.begun.CompareAndSwap(false, true) {
		<-b.done
		return
	}
	defer close(b.done)
	select {
	case <-b.halt:
		b.err = errRebuildHalted
		return
	default:
	}
	o := b.s.state.opts
	o.CacheBytes = min(o.CacheBytes, 16<<20)
	began := time.Now()
	b.builtTree, b.err = buildTree(b.dir, o, &haltingReader{b.snapshot, b.halt, b.s.stop})
	if b.err != nil {
		return
	}
	b.s.log.Info("made a tree of the staged snapshot", zap.Int64("nodes", b.tree.Counts().Nodes), zap.Duration("took", time.Since(began)))
}

// buildTree makes a tree of a snapshot in dir, anew.
func buildTree(dir string, o store.Options, snapshot io.Reader) (b builtTree, err error) {
	if err := o.FS.RemoveAll(dir); err != nil {
		return b, err
	}
	st, err := store.Open(dir, o)
	if err != nil {
		return b, err
	}
	b.tree, err = znode.NewTree(st)
	if err == nil {
		b.loaded, err = zkfile.LoadSnapshot(b.tree, snapshot, zkfile.LoadOptions{})
	}
	if err == nil {
		err = st.Flush() // now, and not within the entry that restores it
	}
	if err != nil {
		return builtTree{}, errors.Join(err, st.Close())
	}
	b.store = st
	return b, nil
}

// restored is what the machine is to know of it.
func (b *builtTree) restored() apply.Restored {
	r := apply.Restored{Tree: b.tree, Newest: b.loaded.Newest}
	for id, timeout := range b.loaded.Sessions {
		r.Sessions = append(r.Sessions, session.Facts{ID: id, TimeoutMillis: timeout})
	}
	return r
}

// newRebuild is for the apply goroutine.
func (s *Server) newRebuild(of apply.Staging, snapshot io.Reader) *rebuild {
	b := &rebuild{s: s, of: of, dir: s.state.path(s.state.number + 1), snapshot: snapshot, halt: make(chan struct{}), done: make(chan struct{})}
	s.rebuilt.Store(b)
	return b
}

// dropRebuild ends the rebuild, if there is one, and removes what it made. For the apply goroutine, or when that has ended.
func (s *Server) dropRebuild() {
	b := s.rebuilt.Load()
	if b == nil {
		return
	}
	b.halting.Do(func() { close(b.halt) })
	b.run()
	s.rebuilt.Store(nil)
	var err error
	if b.store != nil {
		err = b.store.Close()
	}
	if err = errors.Join(err, s.state.fs.RemoveAll(b.dir)); err != nil {
		s.log.Warn("remove what was made of a staged snapshot", zap.String("path", b.dir), zap.Error(err))
	}
}

// afterStaging is called by the apply goroutine after each entry.
func (s *Server) afterStaging() {
	b := s.nextRebuild()
	if b == nil {
		return
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		b.run()
	}()
}

// nextRebuild follows what an entry did to the staging. It returns a rebuild that is to be run.
func (s *Server) nextRebuild() *rebuild {
	if s.restored {
		s.restored = false
		s.log.Warn("the state is that of a restored snapshot now; connections were closed", zap.Stringer("zxid", s.machine.Restored()))
		if s.leadership.Load().self {
			s.rearm(s.sessionMillis())
		}
	}
	staged, b := s.machine.Staging(), s.rebuilt.Load()
	if b != nil && b.of.ID != staged.ID {
		s.dropRebuild()
		b = nil
	}
	if b != nil || !staged.Complete() {
		return nil
	}
	return s.newRebuild(staged, s.machine.StagedReader(staged))
}

// restorer implements apply.Restorer on the apply goroutine.
type restorer struct{ s *Server }

func (r restorer) Build(of apply.Staging, snapshot io.Reader) (apply.Restored, error) {
	s := r.s
	b := s.rebuilt.Load()
	if b != nil && b.of.ID == of.ID {
		b.run()
	}
	if b == nil || b.of.ID != of.ID || b.err != nil {
		s.dropRebuild()
		b = s.newRebuild(of, snapshot)
		b.run()
	}
	if b.err != nil {
		return apply.Restored{}, b.err
	}
	return b.restored(), nil
}

func (r restorer) Switch() (apply.Store, error) {
	s, t := r.s, &r.s.state
	t.mu.Lock()
	defer t.mu.Unlock()
	b := s.rebuilt.Load()
	s.rebuilt.Store(nil)
	s.lists.clear()
	if err := b.store.Close(); err != nil {
		return nil, err
	}
	if err := syncDir(t.fs, t.dir); err != nil {
		return nil, err
	}
	if err := t.switchTo(t.number + 1); err != nil {
		return nil, err
	}
	return t.store, nil
}

// abandonedAfter is for how long a leader waits for a sign of life of a member that is staging a snapshot, and
// keepEvery how often there is one.
const (
	abandonedAfter = time.Minute
	keepEvery      = 10 * time.Second
)

// abandonment is what the leader has seen of the staging.
type abandonment struct {
	seen  apply.Staging
	since time.Time
}

// dropAbandoned has a staging dropped whose member has given no sign for so long. A new leader gives it its full time.
func (s *Server) dropAbandoned(after time.Duration) {
	staged, now := s.machine.Staging(), s.now()
	a := &s.abandoned
	if !s.leadership.Load().self || staged.ID.Member == 0 || staged != a.seen {
		*a = abandonment{staged, now}
		return
	}
	if now.Sub(a.since) < after {
		return
	}
	a.since = now
	s.log.Warn("a restore was abandoned: what was staged of it is dropped", zap.Uint64("member", staged.ID.Member))
	s.proposeInternal(&apply.Command{Op: apply.OpStage, Body: apply.AppendStageDrop(nil, &staged)})
}

// stagingError says what a code of a staging command means.
func stagingError(code wire.ErrCode) error {
	switch code {
	case wire.OK:
		return nil
	case wire.ErrBadVersion:
		return errors.New("another restore was begun, or this one took too long to go on: nothing was changed")
	}
	return fmt.Errorf("the ensemble refused: %v", code)
}
