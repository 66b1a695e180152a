package bench

import (
	"context"
	"errors"
	"net"

	"holt/wire"
	"holt/wire/client"
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
		began := r.now()
		c, err := r.dialLane(ctx, lane, client.Options{NoPings: true})
		if err != nil {
			return err
		}
		took := r.now() - began
		_, err = c.Exists(ctx, r.dir, false)
		if err := errors.Join(err, c.Close()); err != nil {
			return err
		}
		if r.measuring() {
			t.count(0, took, wire.OK)
		}
	}
	return nil
}

// dialForChurn dials so that closing resets the connection, which leaves no port in TIME_WAIT:
// there are only some ten thousand.
func dialForChurn(dial func(context.Context, string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		c, err := dial(ctx, addr)
		if tcp, ok := c.(*net.TCPConn); ok && err == nil {
			err = tcp.SetLinger(0)
		}
		return c, err
	}
}
