package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
)

// formatVersion is written to new databases and must be found in old ones.
const formatVersion = 1

// Store is a tree on disk. See the package comment for concurrency.
type Store struct {
	opts  Options
	db    *pebble.DB
	cache *cache

	// view is what readers read, through clones of it: it is never moved itself.
	// Publish alone replaces it.
	view     *pebble.Iterator
	state    znode.State // as of the last Prepare
	hasState bool

	// The rest is the writer's, down to closed.

	lookups *pebble.Iterator // on the view, from the first Lookup that missed the cache until Prepare
	nursery nursery
	next    *pebble.Iterator // the view with the batch prepared, until Publish; nil if that is deferred
	last    *pebble.Iterator // the former view, until the next Prepare
	pending *znode.Batch     // prepared, until Publish
	closed  bool

	deferred deferred
	stale    atomic.Bool // the database was written to since the view was opened

	writing sync.Mutex // held for a batch, guards what follows
	key     []byte     // scratch
	value   []byte     // scratch
	unseen  int64      // bytes written since makeRoom last looked

	acls    *aclTable
	seal    *seal
	metrics Metrics
	// compactions begin a while after the opening.
	compactions *compactions
	// room says that a flush or compaction has ended. Full is as good as sent to.
	room chan struct{}
}

var _ znode.Store = (*Store)(nil)

// Open opens the store in dir, making it if need be. The work does not depend
// on the size of the tree.
func Open(dir string, opts Options) (_ *Store, err error) {
	s := &Store{
		opts: opts.withDefaults(), acls: newACLTable(),
		nursery: nursery{broods: make(map[string]*brood)}, deferred: newDeferred(),
		seal: newSeal(), room: make(chan struct{}, 1),
	}
	s.cache = newCache(s.opts.CacheBytes)
	// Pebble takes memtables out of the cache's size.
	blocks := pebble.NewCache(s.opts.BlockCacheBytes + 2*s.opts.MemTableBytes)
	defer blocks.Unref() // the database has its own reference
	err = s.open(dir, blocks)
	if errors.Is(err, os.ErrNotExist) && stillborn(s.opts.FS, dir) {
		if err = s.opts.FS.RemoveAll(dir); err == nil {
			err = s.open(dir, blocks)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open tree in %s: %w", dir, err)
	}
	if s.view, err = s.db.NewIter(nil); err == nil {
		err = errors.Join(s.load(), s.Err())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open tree in %s: %w", dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(dir string, blocks *pebble.Cache) error {
	var db *pebble.DB
	err := s.seal.run(func() (err error) {
		db, err = pebble.Open(dir, s.pebbleOptions(blocks))
		return err
	})
	if err == nil {
		s.db = db
	}
	return err
}

// stillborn reports whether dir is what a crash may leave of the making of a
// database: the marker that names its manifest, but neither manifest nor tables.
func stillborn(fs vfs.FS, dir string) bool {
	names, err := fs.List(dir)
	for _, name := range names {
		if strings.HasPrefix(name, "MANIFEST-") || strings.HasSuffix(name, ".sst") {
			return false
		}
	}
	return err == nil
}

func (s *Store) load() error {
	version, err := s.get([]byte{spaceVersion})
	if err != nil {
		return err
	}
	if version == nil {
		return nil // new; the first batch brings both
	}
	if len(version) != 1 || version[0] != formatVersion {
		return fmt.Errorf("format version %x is unknown", version)
	}
	value, err := s.get([]byte{spaceState})
	if err != nil {
		return err
	}
	s.state, err = decodeState(value)
	s.hasState = true
	return err
}

// Close writes out what is in memory, so that nothing needs to be replayed, and closes the database. No
// other call may be under way or follow, except Close.
func (s *Store) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	errs := []error{s.endLookups()}
	for _, v := range []*pebble.Iterator{s.last, s.view, s.next} {
		if v != nil {
			errs = append(errs, v.Close())
		}
	}
	if s.Err() == nil {
		errs = append(errs, s.Flush())
	}
	errs = append(errs, s.seal.run(s.db.Close))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close tree: %w", err)
	}
	return nil
}

// Err is the first failure of the disk, nil while there was none.
func (s *Store) Err() error { return s.seal.err() }

// Failed is closed when Err becomes non-nil.
func (s *Store) Failed() <-chan struct{} { return s.seal.failed }

// State implements znode.Store.
func (s *Store) State() (znode.State, bool) { return s.state, s.hasState }

// Intern implements znode.Store.
func (s *Store) Intern(acl []wire.ACL) *znode.ACL { return s.acls.intern(acl) }

// Durable returns the index of the last entry that a crash leaves in the store; 0 if none.
func (s *Store) Durable() (uint64, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound:                []byte{spaceState},
		UpperBound:                []byte{spaceState + 1},
		OnlyReadGuaranteedDurable: true,
	})
	if err != nil {
		return 0, fmt.Errorf("read durable index: %w", err)
	}
	var state znode.State
	if it.First() {
		state, err = decodeState(it.Value())
	}
	// A sync that failed may have been taken for a success.
	if err = errors.Join(err, it.Error(), it.Close(), s.Err()); err != nil {
		return 0, fmt.Errorf("read durable index: %w", err)
	}
	return state.Applied, nil
}

// Flush makes all that was published durable and waits for it.
func (s *Store) Flush() error {
	err := s.writeDeferred()
	if err == nil {
		err = s.flush()
	}
	if err != nil {
		return fmt.Errorf("flush tree: %w", err)
	}
	return nil
}

func (s *Store) flush() error {
	if err := s.Err(); err != nil {
		return err
	}
	// Pebble's Flush would wait for as long as its attempts fail.
	done, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
	case <-s.seal.failed:
	}
	return s.Err()
}
