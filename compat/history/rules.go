package history

import (
	"cmp"
	"maps"
	"slices"

	"holt/wire"
)

// rules are the properties that Check looks at.
func rules() []rule {
	return []rule{
		{"agree", agree},
		{"durable", durable},
		{"stat", creationStat},
		{"traced", traced},
		{"once", once},
		{"gone", gone},
		{"atomic", allOrNone},
		{"versions", versions},
		{"conditional", conditional},
		{"zxids", zxidsUnique},
		{"realtime", realTime},
		{"fifo", fifo},
		{"monotonic", monotonic},
		{"read", reads},
		{"barrier", barrier},
		{"owners", owners},
		{"expiry", expiry},
	}
}

type reporter = func(format string, args ...any)

// agree: every member holds the same nodes, data and stats.
func agree(x *index, report reporter) {
	for _, s := range x.States[1:] {
		for path, n := range x.state {
			if other, ok := s.Nodes[path]; !ok {
				report("%s is missing at member %d", path, s.Member)
			} else if other != n {
				report("%s differs: %+v at member %d, %+v at member %d", path, n, x.States[0].Member, other, s.Member)
			}
		}
		for path := range s.Nodes {
			if _, ok := x.state[path]; !ok {
				report("%s is only at member %d", path, s.Member)
			}
		}
	}
}

// durable: what was acknowledged as created is there.
func durable(x *index, report reporter) {
	for _, o := range x.Ops {
		if !o.OK() {
			continue
		}
		for _, path := range o.paths() {
			if _, ok := x.state[path]; !ok && !x.mayBeGone(o, path) {
				report("%s is gone, which was created by %v", path, o)
			}
		}
	}
}

// creationStat: a created node has the zxid of the reply and the data of the request.
func creationStat(x *index, report reporter) {
	for _, o := range x.Ops {
		for _, path := range o.paths() {
			n, ok := x.state[path]
			if !ok || !o.OK() {
				continue
			}
			if n.Stat.Czxid != o.Zxid {
				report("%s has czxid %v, was created by %v", path, n.Stat.Czxid, o)
			}
			if n.Data != o.Token && len(x.sets[path]) == 0 {
				report("%s holds %q, was created by %v", path, n.Data, o)
			}
			if n.Stat.Version != 0 && len(x.sets[path]) == 0 {
				report("%s has version %d, nobody set it", path, n.Stat.Version)
			}
		}
	}
}

// traced: all data comes from a request that was sent and not refused.
func traced(x *index, report reporter) {
	for path, n := range x.state {
		if n.Data == "" {
			continue // made by the harness
		}
		o := x.byToken[n.Data]
		switch {
		case o == nil:
			report("%s holds %q, which nobody wrote", path, n.Data)
		case o.Known && !o.OK():
			report("%s holds %q, refused to %v", path, n.Data, o)
		}
	}
}

// once: no request was done twice. Sequential creates would leave two nodes.
func once(x *index, report reporter) {
	at := make(map[string]string)
	for _, path := range slices.Sorted(maps.Keys(x.state)) {
		n := x.state[path]
		o := x.byToken[n.Data]
		if o == nil || o.Kind == CreatePair {
			continue
		}
		if first, ok := at[n.Data]; ok {
			report("%s and %s both come from %v", first, path, o)
		}
		at[n.Data] = path
	}
}

// gone: what was acknowledged as deleted is not there.
func gone(x *index, report reporter) {
	for path, deletes := range x.deletes {
		if _, ok := x.state[path]; ok && slices.ContainsFunc(deletes, (*Op).OK) {
			report("%s is there, was deleted by %v", path, deletes[0])
		}
	}
}

// allOrNone: of a multi's nodes all are there, under one zxid, or none.
func allOrNone(x *index, report reporter) {
	for _, o := range x.Ops {
		if o.Kind != CreatePair {
			continue
		}
		p := o.paths()
		a, okA := x.state[p[0]]
		b, okB := x.state[p[1]]
		if okA != okB || a.Stat.Czxid != b.Stat.Czxid {
			report("%s: %v with czxid %v, %s: %v with czxid %v, of %v", p[0], okA, a.Stat.Czxid, p[1], okB, b.Stat.Czxid, o)
		}
	}
}

// versions: the sets of a register are numbered without gap or double, in the order of their
// zxids; a number that no reply carries belongs to a set of unknown outcome; the last one's data
// and zxid are what is there.
func versions(x *index, report reporter) {
	for path, sets := range x.sets {
		final, ok := x.state[path]
		if !ok {
			report("register %s is gone", path)
			continue
		}
		byVersion := make(map[int32]*Op)
		unknown := int32(0)
		for _, o := range sets {
			if !o.Known {
				unknown++
				continue
			}
			if other := byVersion[o.Stat.Version]; other != nil {
				report("version %d of %s was given twice: %v and %v", o.Stat.Version, path, other, o)
			}
			byVersion[o.Stat.Version] = o
			if o.Stat.Mzxid != o.Zxid {
				report("mzxid %v in the reply to %v", o.Stat.Mzxid, o)
			}
		}
		if missing := final.Stat.Version - int32(len(byVersion)); missing < 0 || missing > unknown {
			report("%s has version %d after %d sets and %d unknown ones", path, final.Stat.Version, len(byVersion), unknown)
		}
		var last *Op
		for _, v := range slices.Sorted(maps.Keys(byVersion)) {
			o := byVersion[v]
			if last != nil && o.Zxid <= last.Zxid {
				report("versions and zxids of %s disagree: %v, then %v", path, last, o)
			}
			last = o
		}
		if o := byVersion[final.Stat.Version]; o != nil && (final.Data != o.Token || final.Stat.Mzxid != o.Zxid) {
			report("%s holds %q of %v, the last set was %v", path, final.Data, final.Stat.Mzxid, o)
		} else if o == nil && final.Stat.Version > 0 {
			if w := x.byToken[final.Data]; w == nil || w.Known {
				report("%s holds %q in version %d, which no reply carries", path, final.Data, final.Stat.Version)
			}
		}
		if last != nil && last.Stat.Version > final.Stat.Version {
			report("%s has version %d, lost %v", path, final.Stat.Version, last)
		}
	}
}

// conditional: a set that expected a version made the next one.
func conditional(x *index, report reporter) {
	for _, sets := range x.sets {
		for _, o := range sets {
			if o.Known && o.Version >= 0 && o.Stat.Version != o.Version+1 {
				report("version %d became %d by %v", o.Version, o.Stat.Version, o)
			}
		}
	}
}

// zxidsUnique: no two writes share a zxid.
func zxidsUnique(x *index, report reporter) {
	seen := make(map[wire.Zxid]*Op)
	for _, o := range x.Ops {
		if !o.Write() || !o.OK() {
			continue
		}
		if other := seen[o.Zxid]; other != nil {
			report("%v and %v", other, o)
		}
		seen[o.Zxid] = o
	}
}

// realTime: a write that was acknowledged before another was sent has the lower zxid.
func realTime(x *index, report reporter) {
	var invoked, returned []*Op
	for _, o := range x.Ops {
		if o.Write() && o.OK() {
			invoked = append(invoked, o)
		}
	}
	returned = slices.Clone(invoked)
	slices.SortFunc(invoked, func(a, b *Op) int { return cmp.Compare(a.Invoked, b.Invoked) })
	slices.SortFunc(returned, func(a, b *Op) int { return cmp.Compare(a.Returned, b.Returned) })
	var highest *Op // of those returned so far
	next := 0
	for _, o := range invoked {
		for ; next < len(returned) && returned[next].Returned < o.Invoked; next++ {
			if highest == nil || returned[next].Zxid > highest.Zxid {
				highest = returned[next]
			}
		}
		if highest != nil && o.Zxid <= highest.Zxid {
			report("%v was acknowledged before %v was sent", highest, o)
		}
	}
}

// connection identifies the requests that one connection carried.
type connection struct{ client, number int }

// fifo: of the writes that one connection carried, in order, the zxids grow, and none was done
// after one that was not.
func fifo(x *index, report reporter) {
	lastOK := make(map[connection]*Op)
	skipped := make(map[connection]*Op)
	for _, o := range x.Ops { // each client's are in the order of sending
		if !o.Write() {
			continue
		}
		c := connection{o.Client, o.Connection}
		if last := lastOK[c]; last != nil && o.OK() && o.Zxid <= last.Zxid {
			report("%v was sent before %v", last, o)
		}
		if o.OK() {
			lastOK[c] = o
		}
		done, certain := x.applied(o)
		switch before := skipped[c]; {
		case certain && done && before != nil:
			report("%v was done, but not the earlier %v", o, before)
		case certain && !done && !o.Known && before == nil:
			skipped[c] = o
		}
	}
}

// monotonic: the zxids in the replies of one session never go back, on whichever members.
func monotonic(x *index, report reporter) {
	last := make(map[wire.SessionID]*Op)
	for _, o := range x.Ops {
		if !o.Known {
			continue
		}
		if before := last[o.Session]; before != nil && o.Zxid < before.Zxid {
			report("%v after %v", o, before)
		}
		last[o.Session] = o
	}
}

// reads: a read shows a set that was made, is not older than the session's own last set of the
// register, and, if zxids are exact, than any set up to the zxid in its reply.
func reads(x *index, report reporter) {
	type ownKey struct {
		session wire.SessionID
		path    string
	}
	own := make(map[ownKey]*Op)
	sorted := make(map[string][]*Op) // sets known to be done, by zxid
	for path, sets := range x.sets {
		known := slices.DeleteFunc(slices.Clone(sets), func(o *Op) bool { return !o.OK() })
		slices.SortFunc(known, func(a, b *Op) int { return cmp.Compare(a.Zxid, b.Zxid) })
		sorted[path] = known
	}
	for _, o := range x.Ops {
		key := ownKey{o.Session, o.Path}
		if o.Kind == Set && o.OK() {
			own[key] = o
		}
		if o.Kind != Get || !o.OK() {
			continue
		}
		if before := own[key]; before != nil && o.Stat.Version < before.Stat.Version {
			report("%v shows version %d, the session had made %d", o, o.Stat.Version, before.Stat.Version)
		}
		if o.Stat.Mzxid > o.Zxid {
			report("%v shows a state of %v", o, o.Stat.Mzxid)
		}
		known := sorted[o.Path]
		i, found := slices.BinarySearchFunc(known, o.Stat.Mzxid, func(s *Op, z wire.Zxid) int { return cmp.Compare(s.Zxid, z) })
		if found && (known[i].Token != o.Data || known[i].Stat.Version != o.Stat.Version) {
			report("%v shows %q in version %d, that zxid was %v", o, o.Data, o.Stat.Version, known[i])
		}
		if w := x.byToken[o.Data]; o.Data != "" && (w == nil || w.Known && !w.OK()) {
			report("%v shows %q, which nobody wrote", o, o.Data)
		}
		if found {
			i++
		}
		if x.Exact && i < len(known) && known[i].Zxid <= o.Zxid {
			report("%v shows version %d, misses %v", o, o.Stat.Version, known[i])
		}
	}
}

// barrier: a read sent right after a sync on the same connection shows every set that was
// acknowledged, to whomever, before the sync was sent.
func barrier(x *index, report reporter) {
	if !x.Exact {
		return
	}
	for i := 1; i < len(x.Ops); i++ {
		sync, get := x.Ops[i-1], x.Ops[i]
		if sync.Kind != Sync || get.Kind != Get || !sync.OK() || !get.OK() || sync.Client != get.Client || sync.Connection != get.Connection {
			continue
		}
		for _, o := range x.sets[get.Path] {
			if o.Known && o.Returned < sync.Invoked && o.Stat.Version > get.Stat.Version {
				report("%v shows version %d after a sync, misses %v", get, get.Stat.Version, o)
				break
			}
		}
	}
}

// owners: the ephemerals of a session that lives are there and its own; those of one that ended
// are not; and there are no others.
func owners(x *index, report reporter) {
	for path, n := range x.state {
		owner := wire.SessionID(n.Stat.EphemeralOwner)
		if fate, listed := x.fate[owner]; owner != 0 && (!listed || fate != Open) {
			report("%s belongs to session %v, which ended", path, owner)
		}
		if o := x.creator[path]; o != nil && o.Ephemeral != (owner != 0) {
			report("%s has owner %v, was created by %v", path, owner, o)
		} else if o != nil && o.Ephemeral && o.Session != owner {
			report("%s has owner %v, was created by %v", path, owner, o)
		}
	}
}

// expiry: no session was expired within its timeout from a request that was answered.
func expiry(x *index, report reporter) {
	for _, e := range x.Expired {
		if e.Told-e.LastContact < e.Timeout {
			report("session %v expired %v after its last contact, its timeout is %v", e.Session, e.Told-e.LastContact, e.Timeout)
		}
	}
}
