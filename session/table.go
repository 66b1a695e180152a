package session

import "holt/wire"

// Table holds the facts of all sessions. See the package comment for who may
// call what when.
type Table struct {
	// committed is what readers see.
	committed map[wire.SessionID]Facts

	// The rest is the writer's: what changed since the last Commit, by id and in order
	// of first change.

	changed map[wire.SessionID]change
	order   []wire.SessionID
}

type change struct {
	facts Facts
	open  bool
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{committed: make(map[wire.SessionID]Facts), changed: make(map[wire.SessionID]change)}
}

// Load adds a stored session, visible at once. For a table that nobody reads yet.
func (t *Table) Load(f Facts) { t.committed[f.ID] = f }

// Get returns the facts of a session; false if there is none.
func (t *Table) Get(id wire.SessionID) (Facts, bool) {
	f, ok := t.committed[id]
	return f, ok
}

// Len is the number of sessions.
func (t *Table) Len() int { return len(t.committed) }

// All returns the facts of all sessions, in no order.
func (t *Table) All() []Facts {
	all := make([]Facts, 0, len(t.committed))
	for _, f := range t.committed {
		all = append(all, f)
	}
	return all
}

// Peek is Get for the writer: it sees what has changed since the last Commit.
func (t *Table) Peek(id wire.SessionID) (Facts, bool) {
	if len(t.changed) > 0 {
		if c, ok := t.changed[id]; ok {
			return c.facts, c.open
		}
	}
	f, ok := t.committed[id]
	return f, ok
}

// Create opens a session, whose Attached becomes 1. It reports false, and changes
// nothing, if there is a session of this id or the id is 0.
func (t *Table) Create(f Facts) (Facts, bool) {
	if _, ok := t.Peek(f.ID); ok || f.ID == 0 {
		return Facts{}, false
	}
	f.Attached = 1
	t.set(f, true)
	return f, true
}

// Attach connects a session to another connection, which may be of the same
// member. It reports false, and changes nothing, if there is no such session or the
// password is wrong.
func (t *Table) Attach(id wire.SessionID, passwd [wire.PasswdSize]byte, timeoutMillis int32, owner uint64) (Facts, bool) {
	f, ok := t.Peek(id)
	if !ok || f.Passwd != passwd {
		return Facts{}, false
	}
	f.TimeoutMillis, f.Owner = timeoutMillis, owner
	f.Attached++
	t.set(f, true)
	return f, true
}

// Close ends a session. It reports false if there is none.
func (t *Table) Close(id wire.SessionID) bool {
	f, ok := t.Peek(id)
	if ok {
		t.set(f, false)
	}
	return ok
}

func (t *Table) set(f Facts, open bool) {
	if _, ok := t.changed[f.ID]; !ok {
		t.order = append(t.order, f.ID)
	}
	t.changed[f.ID] = change{f, open}
}

// Changed calls visit for each session that changed since the last Commit, with
// its facts and whether it is open now.
func (t *Table) Changed(visit func(f *Facts, open bool)) {
	for _, id := range t.order {
		c := t.changed[id]
		visit(&c.facts, c.open)
	}
}

// Commit shows readers what has changed.
func (t *Table) Commit() {
	for _, id := range t.order {
		if c := t.changed[id]; c.open {
			t.committed[id] = c.facts
		} else {
			delete(t.committed, id)
		}
	}
	t.order = t.order[:0]
	clear(t.changed)
}
