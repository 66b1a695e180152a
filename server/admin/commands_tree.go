package admin

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// The commands about the tree, its sessions and its watches.

// dump maps expiry times to sessions, and sessions to their ephemerals. Session
// ids are decimal here, and times are of the member's monotonic clock.
//
// Differs from ZooKeeper, which shows the ticks nothing expires in as well, and
// counts from the start of the machine: here the times are wall clock, in ms.
func (c *Commands) dump(q *question) (answer, error) {
	sessions := append(c.src.LocalSessions(ListMax), c.src.Sessions(ListMax)...)
	slices.SortFunc(sessions, func(x, y Session) int { return cmp.Or(x.Expires.Compare(y.Expires), cmp.Compare(x.ID, y.ID)) })
	var byTime, byOwner object
	for _, s := range sessions {
		if s.Expires.IsZero() {
			continue // another member tracks it
		}
		// As in the text, what expires within a second is one set.
		at := strconv.FormatInt(s.Expires.Unix()*1000, 10)
		byTime = byTime.group(at, int64(s.ID))
	}
	ephemerals := c.src.Ephemerals(ListMax)
	for _, e := range ephemerals {
		byOwner = byOwner.group(strconv.FormatInt(int64(e.Session), 10), e.Path)
	}
	o := object{}.with("expiry_time_to_session_ids", byTime).with("session_id_to_ephemeral_paths", byOwner)
	return answer{body: notShown(o, max(0, q.st.LocalSessions+q.st.Sessions-len(sessions))+max(0, int(q.st.Ephemerals)-len(ephemerals)))}, nil
}

// group appends value to the list of the last field, or of a new one if that is
// another key.
func (o object) group(key string, value any) object {
	if n := len(o) - 1; n >= 0 && o[n].key == key {
		o[n].value = append(o[n].value.(list), value)
		return o
	}
	return o.with(key, list{value})
}

func (o object) sort() {
	slices.SortFunc(o, func(x, y field) int { return strings.Compare(x.key, y.key) })
}

func (c *Commands) hash(*question) (answer, error) {
	digests := list{}
	for _, d := range c.src.Digests() {
		digests = append(digests, object{}.
			with("zxid", int64(d.Zxid)).
			with("digest", int64(d.Value)).
			with("digest_version", digestVersion))
	}
	return answer{body: object{}.with("digests", digests)}, nil
}

// digestVersion is that of ZooKeeper's algorithm since 3.6.
const digestVersion = 2

func (c *Commands) watches(q *question) (answer, error) {
	watches := c.src.Watches(ListMax)
	slices.SortFunc(watches, func(x, y Watch) int {
		return cmp.Or(cmp.Compare(x.Session, y.Session), strings.Compare(x.Path, y.Path))
	})
	var by object
	for _, w := range watches {
		by = by.group(strconv.FormatInt(int64(w.Session), 10), w.Path)
	}
	return answer{body: notShown(object{}.with("session_id_to_watched_paths", by), q.st.Watches-len(watches))}, nil
}

func (c *Commands) watchesByPath(q *question) (answer, error) {
	watches := c.src.Watches(ListMax)
	slices.SortFunc(watches, func(x, y Watch) int {
		return cmp.Or(strings.Compare(x.Path, y.Path), cmp.Compare(x.Session, y.Session))
	})
	var by object
	for _, w := range watches {
		by = by.group(w.Path, int64(w.Session))
	}
	return answer{body: notShown(object{}.with("path_to_session_ids", by), q.st.Watches-len(watches))}, nil
}

func (c *Commands) watchSummary(q *question) (answer, error) {
	return answer{body: object{}.
		with("num_connections", q.st.WatchConnections).
		with("num_paths", q.st.WatchPaths).
		with("num_total_watches", q.st.Watches)}, nil
}

// lastSnapshot is about the last state that is on disk for certain, from which a
// restart goes on; Holt has no other.
func (c *Commands) lastSnapshot(q *question) (answer, error) {
	at := int64(-1)
	if !q.st.Durable.IsZero() {
		at = q.st.Durable.Unix()
	}
	return answer{body: object{}.with("zxid", strconv.FormatUint(uint64(q.st.DurableZxid), 16)).with("timestamp", at)}, nil
}
