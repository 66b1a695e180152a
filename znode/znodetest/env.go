package znodetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

// Env is a tree on its store, with the log of entries that were applied to it: what a
// member has. Zxids and times count up by themselves.
type Env struct {
	Opts  store.Options
	Dir   string
	Store *store.Store
	Tree  *znode.Tree
	// Log holds the entries; entry i has index i+1.
	Log []Entry
	// Applied is the index of the last entry applied, Zxid that of the last command in the log.
	Applied int
	Zxid    wire.Zxid
	Now     int64
}

// Entry is a number of commands that are committed as one. Zxid is that of the first, the others
// follow.
type Entry struct {
	Zxid wire.Zxid
	Now  int64
	Cmds []Command
}

// NewEnv opens a tree; a nil FS is a fresh one in memory.
func NewEnv(opts store.Options) (*Env, error) {
	if opts.FS == nil {
		opts.FS = vfs.NewMem()
	}
	e := &Env{Opts: opts, Dir: "tree"}
	return e, e.Open()
}

// Open opens the store and finds out how much of the log it holds.
func (e *Env) Open() (err error) {
	if e.Store, err = store.Open(e.Dir, e.Opts); err != nil {
		return err
	}
	if e.Tree, err = znode.NewTree(e.Store); err != nil {
		return err
	}
	e.Applied = int(e.Tree.Applied())
	return nil
}

// Restart closes and opens the store.
func (e *Env) Restart() error {
	if err := e.Store.Close(); err != nil {
		return err
	}
	return e.Open()
}

// Do appends an entry to the log and applies it. An entry's commands are 10 ms apart from the last one's.
func (e *Env) Do(cmds ...Command) ([]Result, error) {
	e.Append(cmds)
	return e.Next()
}

// Append adds an entry to the log without applying it.
func (e *Env) Append(cmds []Command) Entry {
	e.Now += 10
	entry := Entry{e.Zxid + 1, e.Now, cmds}
	e.Log = append(e.Log, entry)
	e.Zxid += wire.Zxid(len(cmds))
	return entry
}

// Next applies the next entry of the log.
func (e *Env) Next() ([]Result, error) {
	entry := &e.Log[e.Applied]
	results := make([]Result, len(entry.Cmds))
	for i := range entry.Cmds {
		results[i] = Run(e.Tree, entry.Zxid+wire.Zxid(i), entry.Now, &entry.Cmds[i])
	}
	index := e.Applied + 1
	record := znode.Record{Key: []byte("last"), Value: fmt.Appendf(nil, "%d", index)}
	if err := e.Tree.Prepare(uint64(index), []znode.Record{record}); err != nil {
		return results, err
	}
	e.Tree.Commit()
	e.Applied = index
	return results, nil
}

// Replay applies what is left of the log.
func (e *Env) Replay() error {
	for e.Applied < len(e.Log) {
		if _, err := e.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Dump is the whole tree as text, read by its readers' methods, and the sums; it
// is what Model.Dump writes. It fails if indexes and nodes do not agree.
func (e *Env) Dump() (string, error) {
	var b strings.Builder
	var paths []string
	if err := e.walk("/", &paths); err != nil {
		return "", err
	}
	slices.Sort(paths)
	ephemerals := map[string]wire.SessionID{}
	for _, p := range paths {
		n, err := e.Tree.Get(p)
		if err != nil {
			return "", err
		}
		if n == nil {
			return "", fmt.Errorf("%s is listed but does not exist", p)
		}
		writeNode(&b, p, n.Data, n.ACL.Entries(), n.Stat(), n.Cversion, int64(n.Owner))
		if n.Owner.IsSession() {
			ephemerals[p] = wire.SessionID(n.Owner)
		}
	}
	c := e.Tree.Counts()
	fmt.Fprintf(&b, "nodes %d ephemerals %d bytes %d digest %x\n", c.Nodes, c.Ephemerals, c.DataBytes, c.Digest)
	err := e.Tree.EachEphemeral(func(s wire.SessionID, path []byte) bool {
		if ephemerals[string(path)] != s {
			fmt.Fprintf(&b, "stray ephemeral %s of %v\n", path, s)
		}
		delete(ephemerals, string(path))
		return true
	})
	if len(ephemerals) > 0 {
		fmt.Fprintf(&b, "ephemerals not in the index: %v\n", ephemerals)
	}
	return b.String(), err
}

func (e *Env) walk(path string, paths *[]string) error {
	*paths = append(*paths, path)
	names, err := e.Children(path)
	if err == nil && len(names) > 0 {
		err = e.checkPages(path, names)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := e.walk(strings.TrimSuffix(path, "/")+"/"+name, paths); err != nil {
			return err
		}
	}
	return nil
}

// checkPages reads the children by creation, and fails if they are not those that names lists.
func (e *Env) checkPages(path string, names []string) error {
	size := 1 + len(names)/3
	pages, err := e.Pages(path, size, 1<<20)
	if err != nil {
		return err
	}
	got := slices.Concat(pages...)
	if len(pages) > 1 && len(pages[0]) != size {
		return fmt.Errorf("first page of %s has %d names, not %d", path, len(pages[0]), size)
	}
	var last wire.Zxid
	for i, name := range got {
		n, err := e.Tree.Get(strings.TrimSuffix(path, "/") + "/" + name)
		if n == nil || err != nil {
			return fmt.Errorf("pages of %s hold %s, which does not exist, %w", path, name, err)
		}
		if n.Czxid < last || n.Czxid == last && i > 0 && got[i-1] >= name {
			return fmt.Errorf("pages of %s are not in order: %v", path, pages)
		}
		last = n.Czxid
	}
	if slices.Sort(got); !slices.Equal(got, names) {
		return fmt.Errorf("pages of %s hold %v, want %v", path, got, names)
	}
	return nil
}

// Children are the names OpenChildren yields.
func (e *Env) Children(path string) (names []string, err error) {
	it, err := e.Tree.OpenChildren(path)
	if err != nil {
		return nil, err
	}
	for name, ok := it.Next(); ok; name, ok = it.Next() {
		names = append(names, string(name))
	}
	return names, it.Close()
}

// Pages are the names of all pages, in one slice each.
func (e *Env) Pages(path string, namesMax, bytesMax int) (pages [][]string, err error) {
	n, err := e.Tree.Get(path)
	if n == nil || err != nil {
		return nil, err
	}
	q := znode.PageQuery{NamesMax: namesMax, BytesMax: bytesMax}
	for {
		p, err := e.Tree.ChildPage(n, q)
		if err != nil {
			return pages, err
		}
		pages = append(pages, p.Names)
		if p.Next == znode.PageEnd {
			return pages, nil
		}
		if len(p.Names) == 0 {
			return pages, fmt.Errorf("empty page at %v is not the last", q.From)
		}
		q.From = p.Next
	}
}
