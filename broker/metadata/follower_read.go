package metadata

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// reply is what reading a path came to. A node that is not there is a reply, not
// an error.
type reply struct {
	path     string
	mark     mark
	kind     readKind
	missing  bool
	data     []byte
	stat     Stat
	children []string
	err      error
}

// readKind is how a path is read, and watched.
type readKind uint8

const (
	readNothing     readKind = iota // the image does not need it
	readWatched                     // data; somebody else tells when the node is made
	readAwaited                     // data, and a watch on the node's coming if there is none
	readOnce                        // data, without a watch: a notification tells of changes
	readList                        // children, watched
	readListingOnce                 // children, without a watch
)

// kindOf tells how to read a path.
func kindOf(path string) readKind {
	switch path {
	case ControllerPath, ControllerEpochPath, ReassignPath, PreferredElectionPath:
		return readAwaited
	case BrokerIDsPath, TopicsPath, ConfigChangesPath, DeleteTopicsPath, ISRChangesPath, LogDirEventsPath, aclChangesPath, aclPrefixedChangesPath:
		return readList
	case ClusterIDPath:
		return readOnce
	}
	switch {
	case strings.HasPrefix(path, TopicsPath):
		_, partition, ok := ParseTopicPath(path)
		if !ok {
			return readNothing
		}
		if partition >= 0 {
			return readAwaited
		}
		return readWatched
	case strings.HasPrefix(path, BrokerIDsPath):
		return readWatched
	case strings.HasPrefix(path, ConfigChangesPath), strings.HasPrefix(path, aclChangesPath), strings.HasPrefix(path, aclPrefixedChangesPath):
		return readOnce
	case strings.HasPrefix(path, ConfigPath+"/"):
		if Entity(path[len(ConfigPath)+1:]).valid() {
			return readOnce
		}
		return readListingOnce
	case strings.HasPrefix(path, aclPath):
		if _, ok := parseACLPath(path); ok {
			return readOnce
		}
		return readListingOnce
	}
	return readNothing
}

// readAll reads many paths at a time, and returns their replies in the order in
// which they build on each other: lists, then topics, then states.
func (f *Follower) readAll(ctx context.Context, work map[string]mark) []reply {
	replies := make([]reply, 0, len(work))
	for path, m := range work {
		if kind := kindOf(path); kind != readNothing {
			replies = append(replies, reply{path: path, mark: m, kind: kind})
		}
	}
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(f.cfg.InFlight, len(replies)) {
		readers.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(replies) {
					return
				}
				f.read(ctx, &replies[n])
			}
		})
	}
	readers.Wait()
	return inOrder(replies)
}

func (f *Follower) read(ctx context.Context, r *reply) {
	c := f.cfg.Coordinator
	switch r.kind {
	case readWatched, readOnce:
		r.data, r.stat, r.err = c.Get(ctx, r.path, r.kind == readWatched)
	case readAwaited:
		f.readAwaited(ctx, r)
	case readList, readListingOnce:
		r.children, r.stat, r.err = c.Children(ctx, r.path, r.kind == readList)
	}
	if errors.Is(r.err, ErrNoNode) {
		r.missing, r.err = true, nil
	}
}

// readAwaited reads a node that may not be there. A read of data sets a watch only
// on a node that is, and exists on both; so the one that will probably do comes first.
func (f *Follower) readAwaited(ctx context.Context, r *reply) {
	c := f.cfg.Coordinator
	if !r.mark.fresh {
		r.data, r.stat, r.err = c.Get(ctx, r.path, true)
		if !errors.Is(r.err, ErrNoNode) {
			return
		}
	}
	if _, r.err = c.Exists(ctx, r.path, true); r.err != nil {
		return
	}
	// It came in between, and exists has set the watch.
	r.data, r.stat, r.err = c.Get(ctx, r.path, false)
}

// inOrder sorts replies by what they build on, stably by kind.
func inOrder(replies []reply) []reply {
	var ranked [3][]reply
	for _, r := range replies {
		rank := 0
		if topic, partition, ok := ParseTopicPath(r.path); ok && topic != "" {
			rank = 1
			if partition >= 0 {
				rank = 2
			}
		}
		ranked[rank] = append(ranked[rank], r)
	}
	return append(append(ranked[0], ranked[1]...), ranked[2]...)
}

// reloadAll marks everything: what every cluster has, and what is known of this
// one. Another session may have been established with a server that lags behind the
// one that the last image came from, hence the Sync.
func (f *Follower) reloadAll(ctx context.Context, b *builder) error {
	if err := f.cfg.Coordinator.Sync(ctx); err != nil {
		return err
	}
	b.reload(f.cfg.Coordinator.Session())
	f.mu.Lock()
	defer f.mu.Unlock()
	m := mark{generation: 0}
	roots := []string{
		BrokerIDsPath, TopicsPath, ControllerPath, ControllerEpochPath, ClusterIDPath, ConfigChangesPath,
		DeleteTopicsPath, ReassignPath, PreferredElectionPath, ISRChangesPath, LogDirEventsPath,
	}
	for _, kind := range entityKinds {
		roots = append(roots, ConfigPath+"/"+string(kind))
	}
	if f.cfg.ACLs {
		roots = append(roots, aclChangesPath, aclPrefixedChangesPath)
		for _, t := range resourceTypes {
			roots = append(roots, aclPath+"/"+t, aclPrefixedPath+"/"+t)
		}
	}
	for _, path := range roots {
		f.markLocked(path, m)
	}
	for path := range knownPaths(f.Image()) {
		f.markLocked(path, m)
	}
	return nil
}
