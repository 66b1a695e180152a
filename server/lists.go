package server

import (
	"container/list"
	"sync"

	"holt/wire"
	"holt/znode"
)

// listCache keeps lists of children as getChildren sends them, so that a list that is read again and again is not
// gathered from the store each time. A list belongs to one version of its node's children and is never
// told of changes: whoever asks has the node, which says whether the list is that of its children now.
//
// A list is kept when it is asked for a second time unchanged. One that changes between any two readings,
// as those of locks and queues do, leaves nothing but its place. The least recently read go first.
type listCache struct {
	max int // bytes of all lists and places

	mu     sync.Mutex // guards what follows; nothing else is taken under it
	places map[string]*list.Element
	order  list.List // of *keptList, the last one read in front
	bytes  int
}

// keptList is the place of one node's list.
type keptList struct {
	path    string
	version listVersion
	names   []byte // encoded, never changed; nil if asked for once only
}

// listVersion tells two states of a node's children apart: each change moves pzxid on, and czxid tells nodes that had
// the same path one after the other.
type listVersion struct {
	czxid, pzxid          wire.Zxid
	cversion, numChildren int32
}

const (
	listCacheBytes = 16 << 20
	// placeOverhead is what a place takes besides path and list.
	placeOverhead = 200
)

func newListCache(max int) *listCache {
	c := &listCache{max: max, places: make(map[string]*list.Element)}
	c.order.Init()
	return c
}

func versionOf(n *znode.Node) listVersion {
	return listVersion{czxid: n.Czxid, pzxid: n.Pzxid, cversion: n.Cversion, numChildren: n.NumChildren}
}

// find returns the list of a node's children as they are in n, nil if it is not kept. Then the caller, who
// gathers it, gives it to keep with the place, if there is one: its readers are worth it.
func (c *listCache) find(n *znode.Node) (names []byte, place *keptList) {
	v := versionOf(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.places[n.Path]
	if e == nil {
		c.addLocked(&keptList{path: n.Path, version: v})
		return nil, nil
	}
	c.order.MoveToFront(e)
	k := e.Value.(*keptList)
	if k.version != v {
		c.removeLocked(e)
		c.addLocked(&keptList{path: n.Path, version: v})
		return nil, nil
	}
	if k.names == nil {
		return nil, k
	}
	return k.names, nil
}

// keep keeps a list in the place that find returned, which may be nil or given up meanwhile. The list is the
// cache's from now on: nobody may change it.
func (c *listCache) keep(place *keptList, names []byte) {
	if place == nil || len(names) > c.max/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.places[place.path]
	if e == nil || e.Value.(*keptList) != place || place.names != nil {
		return
	}
	place.names = names
	c.bytes += cap(names)
	c.trimLocked()
}

// clear forgets everything: the tree is another one.
func (c *listCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.places)
	c.order.Init()
	c.bytes = 0
}

func (c *listCache) addLocked(k *keptList) {
	c.places[k.path] = c.order.PushFront(k)
	c.bytes += k.size()
	c.trimLocked()
}

func (c *listCache) removeLocked(e *list.Element) {
	k := c.order.Remove(e).(*keptList)
	delete(c.places, k.path)
	c.bytes -= k.size()
}

func (c *listCache) trimLocked() {
	for c.bytes > c.max {
		c.removeLocked(c.order.Back())
	}
}

func (k *keptList) size() int { return placeOverhead + len(k.path) + cap(k.names) }
