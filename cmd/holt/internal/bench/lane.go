package bench

import (
	"context"
	"net"
	"time"

	"holt/wire"
	"holt/wire/client"
)

// lane is one connection of a run.
type lane struct {
	run    *run
	conn   *client.Conn
	script script
	tally
}

// tally is what a lane counted while the run was measuring. It belongs to the reader of the
// lane's connection.
type tally struct {
	latency []*histogram // by kind
	errors  map[string]int64
	lost    error // why the lane ended before the run did
}

func newTally(kinds int) tally {
	t := tally{errors: make(map[string]int64)}
	for range kinds {
		t.latency = append(t.latency, new(histogram))
	}
	return t
}

func (t *tally) count(kind int, took int64, code wire.ErrCode) {
	if code != wire.OK {
		t.errors[code.String()]++
		return
	}
	t.latency[kind].add(took, 1)
}

// slot is room for one request in flight; it is used again and again.
type slot struct {
	call client.Call
	body client.Body
	part wire.MultiHeader // first of a multi's reply, which says whether it failed
	sent int64            // when, or when it was due: nanoseconds since the start of the run
	kind int
}

// newSlot returns a slot whose replies go to done, on the reader of the connection.
func newSlot(done func(*slot)) *slot {
	s := new(slot)
	s.call.Request = &s.body
	s.call.Done = func(*client.Call) { done(s) }
	return s
}

// fill makes the script's next request the slot's, if there is one.
func (s *slot) fill(sc script) (ok bool) {
	s.body, s.call.Op, s.kind, ok = sc.next(s.body[:0])
	s.call.Reply = nil
	if s.call.Op == wire.OpMulti {
		s.call.Reply = &s.part
	}
	return ok
}

// outcome returns the code of the reply. err is not nil if there was none.
func (s *slot) outcome() (code wire.ErrCode, err error) {
	switch {
	case s.call.Err != nil:
		return 0, s.call.Err
	case s.call.Op == wire.OpMulti && s.call.Header.Err == wire.OK && s.part.Type == wire.OpError:
		return s.part.Err, nil
	}
	return s.call.Header.Err, nil
}

// reply accounts for the reply to s.
func (l *lane) reply(s *slot) {
	code, err := s.outcome()
	switch {
	case err != nil:
		l.lost = err
	case l.run.measuring():
		l.count(s.kind, l.run.now()-s.sent, code)
	}
}

// pump keeps window requests of a script in flight at conn until more says no or the script
// ends, and returns when all are answered or failed. Everything happens on the reader of conn, so
// that what reply touches needs no lock.
type pump struct {
	conn   *client.Conn
	script script
	window int
	now    func() int64
	more   func() bool
	reply  func(*slot)
}

func (p *pump) run() {
	done := make(chan struct{})
	inFlight := p.window
	send := func(s *slot) {
		if p.more() && s.fill(p.script) {
			s.sent = p.now()
			p.conn.Go(&s.call)
			return
		}
		if inFlight--; inFlight == 0 {
			close(done)
		}
	}
	// The reply to a ping is the way onto the reader.
	p.conn.Go(&client.Call{Op: wire.OpPing, Done: func(*client.Call) {
		for range p.window {
			send(newSlot(func(s *slot) { p.reply(s); send(s) }))
		}
	}})
	<-done
}

// closedLoop keeps Config.Outstanding requests in flight until the run ends.
func (l *lane) closedLoop() error {
	p := pump{l.conn, l.script, l.run.cfg.Outstanding, l.run.now, func() bool { return l.lost == nil && l.run.take() }, l.reply}
	p.run()
	return l.end()
}

// end closes the session. The reason why the connection broke before, if it did, is the error.
func (l *lane) end() error {
	err := l.conn.Close()
	if l.lost != nil {
		return l.lost
	}
	return err
}

// openLoop sends a request every interval, the first after offset. At most Config.Outstanding
// are in flight; those that fall due meanwhile wait and are charged for it.
func (l *lane) openLoop(offset, interval time.Duration) error {
	free := make(chan *slot, l.run.cfg.Outstanding)
	for range cap(free) {
		free <- newSlot(func(s *slot) { l.reply(s); free <- s })
	}
	for due := int64(offset); l.run.more(); due += int64(interval) {
		if wait := due - l.run.now(); wait > 0 {
			time.Sleep(time.Duration(wait))
		}
		s := <-free
		if l.conn.Err() != nil || !s.fill(l.script) {
			free <- s
			break
		}
		s.sent = due
		l.conn.Go(&s.call)
	}
	for range cap(free) { // wait until all are answered
		<-free
	}
	return l.end()
}

// dialLane opens the session of lane i, at the servers in turn.
func (r *run) dialLane(ctx context.Context, i int, o client.Options) (*client.Conn, error) {
	o.SessionTimeout, o.MaxFrame, o.MaxOutstanding = r.cfg.SessionTime, maxReply, 1<<20
	addr := r.cfg.Servers[i%len(r.cfg.Servers)]
	nc, err := r.cfg.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c, err := client.New(ctx, nc, o)
	if err != nil || r.cfg.Login == nil {
		return c, err
	}
	if err := r.cfg.Login(ctx, addr, c); err != nil {
		c.Abort()
		return nil, err
	}
	return c, nil
}

// maxReply bounds a reply frame: above any listing that a load makes.
const maxReply = 1 << 30

func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}
