package network

import (
	"sync"
	"time"
)

// limits counts connections and how fast they come.
type limits struct {
	mu         sync.Mutex
	changed    chan struct{} // closed and replaced when there may be room
	l          Limits
	all        int
	byListener map[string]int
	byIP       map[string]int
	rate       window
	rateBy     map[string]*window // by listener
	rateByIP   map[string]*window
	now        func() time.Time
}

func (q *limits) init(l Limits) {
	q.l, q.now = l, time.Now
	q.changed = make(chan struct{})
	q.byListener, q.byIP = map[string]int{}, map[string]int{}
	q.rateBy, q.rateByIP = map[string]*window{}, map[string]*window{}
}

func (q *limits) set(l Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.l = l
	q.wakeLocked()
}

func (q *limits) wakeLocked() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// wait blocks until the listener may accept another connection; false means that
// stop was closed.
func (q *limits) wait(listener string, stop <-chan struct{}) bool {
	for {
		q.mu.Lock()
		full := q.l.Connections > 0 && q.all >= q.l.Connections
		if most, ok := q.l.ListenerMax[listener]; ok && most > 0 && q.byListener[listener] >= most {
			full = true
		}
		pause := q.rate.ahead(q.now(), q.l.CreationRate)
		if rate := q.l.ListenerRate[listener]; rate > 0 {
			pause = max(pause, q.windowLocked(q.rateBy, listener).ahead(q.now(), rate))
		}
		changed := q.changed
		q.mu.Unlock()
		if !full && pause <= 0 {
			return true
		}
		if full {
			select {
			case <-changed:
			case <-stop:
				return false
			}
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-changed:
			timer.Stop()
		case <-stop:
			timer.Stop()
			return false
		}
	}
}

// enter counts an accepted connection, or says why it is not to be served.
func (q *limits) enter(listener, host string) (why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rate.add(q.now(), q.l.CreationRate)
	if rate := q.l.ListenerRate[listener]; rate > 0 {
		q.windowLocked(q.rateBy, listener).add(q.now(), rate)
	}
	if most := override(q.l.ConnectionsPerIP, q.l.PerIPOverride, host); most > 0 && q.byIP[host] >= most {
		return "too many connections from this address"
	}
	if rate := override(q.l.CreationRatePerIP, q.l.CreationRateByIP, host); rate > 0 {
		w := q.windowLocked(q.rateByIP, host)
		if w.ahead(q.now(), rate) > 0 {
			return "connections from this address come too fast"
		}
		w.add(q.now(), rate)
	}
	q.all++
	q.byListener[listener]++
	q.byIP[host]++
	return ""
}

func override(n int, by map[string]int, key string) int {
	if own, ok := by[key]; ok {
		return own
	}
	return n
}

func (q *limits) leave(listener, host string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all--
	q.byListener[listener]--
	if q.byIP[host]--; q.byIP[host] == 0 {
		delete(q.byIP, host)
	}
	q.wakeLocked()
}

// rateHosts bounds the addresses whose rate is known; past it all is forgotten, in
// favour of the clients.
const rateHosts = 10_000

func (q *limits) windowLocked(by map[string]*window, key string) *window {
	w := by[key]
	if w == nil {
		if len(by) >= rateHosts {
			clear(by)
		}
		w = &window{}
		by[key] = w
	}
	return w
}

// window is a bucket that each event fills and time empties, at a rate by the second.
// One second's worth fits.
type window struct {
	full time.Time // when it is empty again
}

// ahead is how long until another event fits; rate 0 is no limit.
func (w *window) ahead(now time.Time, rate int) time.Duration {
	if rate <= 0 || w.full.Before(now) {
		return 0
	}
	return w.full.Sub(now) - time.Second + time.Second/time.Duration(rate)
}

func (w *window) add(now time.Time, rate int) {
	if rate <= 0 {
		return
	}
	if w.full.Before(now) {
		w.full = now
	}
	w.full = w.full.Add(time.Second / time.Duration(rate))
}
