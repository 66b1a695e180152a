package bench

import (
	"context"
	"net"

	"holt/wire"
)

// churnLanes is the load churn: each lane opens a session, reads once and closes it, again and
// again. An operation is one such life; its latency counts from dialling to the end of the
// handshake.
func (r *run) churnLanes(ctx context.Context) (work []func() error, tallies []*tally, err error) {
	for i := range r.cfg.Connections {
		t := newTally(1)
		tallies = append(tallies, &t)
		work = append(work, func() error { return r.churn(ctx, i, &t) })
	}
	return work, tallies, nil
}

func (r *run) churn(ctx context.Context, lane int, t *tally) error {
	for r.take() {
		q := request{sent: r.now()}
		s, err := r.dialLane(ctx, lane)
		if err != nil {
			return err
		}
		now := r.now()
		if err := s.live(r.dir); err != nil {
			return err
		}
		if r.measuring() {
			t.count(q, wire.OK, now)
		}
	}
	return nil
}

// live reads a node and closes the session. The connection ends by a reset, which leaves no
// port in TIME_WAIT: there are only some ten thousand.
func (s *session) live(path string) error {
	if tcp, ok := s.conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
	}
	if err := s.call(wire.OpExists, &wire.ExistsRequest{Path: path}, nil); err != nil {
		return err
	}
	return s.close()
}
