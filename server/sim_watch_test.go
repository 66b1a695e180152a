package server

import (
	"maps"
	"slices"

	"holt/server/watch"
	"holt/wire"
)

// Watches in the simulation. Clients leave watches for data with some of their reads, and set them again on each new
// connection, as of the last zxid that they saw. What is promised: a client that is shown another node than the one it
// left a watch on was told before.

// simWatches is how many watches a client has at most.
const simWatches = 20

// Notify implements watch.Watcher.
func (conn *simConn) Notify(e *watch.Event) {
	if conn.open && conn.c.conn == conn {
		delete(conn.c.watching, e.Path)
		conn.c.s.w.Count("watch fired")
	}
}

// watched is called when the client is shown a node.
func (conn *simConn) watched(path string, got simVersion) {
	c, s := conn.c, conn.c.s
	if was, ok := c.watching[path]; ok {
		if was.there != got.there || was.stat.Czxid != got.stat.Czxid || was.stat.Mzxid != got.stat.Mzxid {
			s.w.Fail("client %d is shown %s as %+v on member %d, has a watch from when it was %+v, and was told nothing", c.id, path, got, conn.m.seat.Member, was)
		}
		return
	}
	if len(c.watching) < simWatches && s.chance(2) {
		if c.watching == nil {
			c.watching = map[string]simVersion{}
		}
		c.watching[path] = got
		conn.m.watches.AddData(path, conn)
	}
}

// rearm sets the client's watches on a new connection, as of a zxid.
func (conn *simConn) rearm(seen wire.Zxid) {
	c, s := conn.c, conn.c.s
	if len(c.watching) == 0 || !conn.open || c.conn != conn {
		return
	}
	req := &wire.SetWatches2{SetWatches: wire.SetWatches{RelativeZxid: seen}}
	for _, path := range slices.Sorted(maps.Keys(c.watching)) {
		if c.watching[path].there {
			req.DataWatches = append(req.DataWatches, path)
		} else {
			req.ExistWatches = append(req.ExistWatches, path)
		}
	}
	m := conn.m.machine
	m.RLock()
	defer m.RUnlock()
	lookup := (&read{s: conn.m.Server}).lookup
	if s.doctor.restoreUntold {
		lookup = func(path string) (watch.NodeState, error) {
			n, err := m.Tree().Get(path)
			if n == nil || err != nil {
				return watch.NodeState{}, err
			}
			return watch.NodeState{Exists: true, Mzxid: n.Mzxid, Pzxid: n.Pzxid}, nil
		}
	}
	if err := conn.m.watches.SetWatches(req, conn, lookup); err != nil {
		s.w.Fail("set watches: %v", err)
	}
	s.w.Count("watches set again")
}
