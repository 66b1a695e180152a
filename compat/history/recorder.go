package history

import (
	"sync"
	"time"

	"holt/wire"
)

// Recorder collects what the clients of one history did. Its clock is the history's.
type Recorder struct {
	start time.Time

	mu       sync.Mutex
	ops      map[int][]*Op // guarded by mu: by client, in the order of sending
	sessions map[wire.SessionID]Session
	expired  []Expiry
}

// NewRecorder begins a history.
func NewRecorder() *Recorder {
	return &Recorder{start: time.Now(), ops: make(map[int][]*Op), sessions: make(map[wire.SessionID]Session)}
}

func (r *Recorder) now() time.Duration { return time.Since(r.start) }

// sent notes a request that is about to go out. Its outcome is unknown until the client, which
// alone touches it until the history is taken, says otherwise.
func (r *Recorder) sent(o *Op) {
	o.Returned = Never
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops[o.Client] = append(r.ops[o.Client], o)
}

func (r *Recorder) session(s Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[s.ID] = s
}

// expire notes that a client was told of its session's expiry. The session leaves the list of
// those whose fate a client decided.
func (r *Recorder) expire(e Expiry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, e.Session)
	r.expired = append(r.expired, e)
}

// Acknowledged returns the number of writes known to be done so far.
func (r *Recorder) Acknowledged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, ops := range r.ops {
		for _, o := range ops {
			if o.Write() && o.OK() {
				n++
			}
		}
	}
	return n
}

// History returns what was recorded, with the states found at the end. The clients must have
// stopped.
func (r *Recorder) History(states []State, exact bool) *History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &History{States: states, Expired: r.expired, Exact: exact}
	for _, ops := range r.ops {
		h.Ops = append(h.Ops, ops...)
	}
	for _, s := range r.sessions {
		h.Sessions = append(h.Sessions, s)
	}
	return h
}
