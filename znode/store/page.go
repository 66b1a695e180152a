package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"holt/wire"
	"holt/znode"
)

// nameOverhead is the length before a name in a reply.
const nameOverhead = 4

// ChildPage implements znode.Store.
func (s *Store) ChildPage(n *znode.Node, q znode.PageQuery) (znode.Page, error) {
	p := pager{q: q}
	p.q.From.Czxid = max(q.From.Czxid, 0)
	p.skip = q.From.Skip
	var err error
	if n.StoreFlags&indexed != 0 {
		err = s.pageByIndex(n.Path, &p)
	} else {
		err = s.pageByScan(n.Path, &p)
	}
	if err != nil {
		return znode.Page{}, fmt.Errorf("page children of %q: %w", n.Path, err)
	}
	return p.page, nil
}

// pager takes children in the order of (czxid, name) and keeps those of the page.
type pager struct {
	q     znode.PageQuery
	skip  int32 // children still to skip
	page  znode.Page
	bytes int
	last  znode.PageCursor // past the last name in the page
}

// add takes the next child; false ends the page.
func (p *pager) add(czxid wire.Zxid, name []byte) bool {
	if czxid != p.last.Czxid {
		p.last = znode.PageCursor{Czxid: czxid}
	}
	if p.skip > 0 && czxid == p.q.From.Czxid {
		p.skip--
		p.last.Skip++
		return true
	}
	size := nameOverhead + len(name)
	if len(p.page.Names) >= p.q.NamesMax || len(p.page.Names) > 0 && p.bytes+size > p.q.BytesMax {
		p.page.Next = p.last
		return false
	}
	p.page.Names = append(p.page.Names, string(name))
	p.bytes += size
	p.last.Skip++
	return true
}

func (p *pager) end() { p.page.Next = znode.PageEnd }

func (s *Store) pageByIndex(path string, p *pager) error {
	prefix := appendIndexPrefix(nil, path)
	from := binary.BigEndian.AppendUint64(slices.Clone(prefix), uint64(p.q.From.Czxid))
	more := false
	err := s.scan(prefix, from, func(key, _ []byte) (bool, error) {
		key = key[len(prefix):]
		more = !p.add(wire.Zxid(binary.BigEndian.Uint64(key)), key[8:])
		return !more, nil
	})
	if !more {
		p.end()
	}
	return err
}

type pageChild struct {
	czxid wire.Zxid
	name  string
}

// pageByScan looks at all children, of which there are fewer than
// Options.PageIndexMin, but keeps only so many names that the page is full.
func (s *Store) pageByScan(path string, p *pager) error {
	it, err := s.openChildren(path)
	if err != nil {
		return err
	}
	k := smallest{bytesMax: p.q.BytesMax, from: p.q.From.Czxid}
	for name, ok := it.Next(); ok; name, ok = it.Next() {
		if z := it.Czxid(); z >= p.q.From.Czxid {
			k.add(z, name)
		}
	}
	if err := it.Close(); err != nil {
		return err
	}
	k.cut()
	for _, c := range k.kept {
		if !p.add(c.czxid, []byte(c.name)) {
			return nil
		}
	}
	p.end()
	return nil
}

// smallest keeps the first children by (czxid, name) that make up bytesMax bytes and one more
// that says the page is not the last, besides those of czxid from, which may be skipped.
type smallest struct {
	bytesMax int
	from     wire.Zxid
	kept     []pageChild
	bytes    int // of kept, those of czxid from not counted
}

func (k *smallest) add(czxid wire.Zxid, name []byte) {
	k.kept = append(k.kept, pageChild{czxid, string(name)})
	if czxid != k.from {
		k.bytes += nameOverhead + len(name)
	}
	if k.bytes > 2*k.bytesMax+64<<10 {
		k.cut()
	}
}

// cut sorts what is kept and drops what cannot be in the page.
func (k *smallest) cut() {
	slices.SortFunc(k.kept, func(a, b pageChild) int {
		return cmp.Or(cmp.Compare(a.czxid, b.czxid), strings.Compare(a.name, b.name))
	})
	k.bytes = 0
	for i, c := range k.kept {
		if c.czxid != k.from {
			k.bytes += nameOverhead + len(c.name)
		}
		if k.bytes > k.bytesMax {
			clear(k.kept[i+1:])
			k.kept = k.kept[:i+1]
			return
		}
	}
}
