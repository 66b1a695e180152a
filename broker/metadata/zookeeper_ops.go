package metadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"
)

// Get is of the interface Coordinator.
func (z *ZooKeeper) Get(ctx context.Context, path string, watch bool) (data []byte, stat Stat, err error) {
	type answer struct {
		data []byte
		stat *zk.Stat
	}
	a, err := callFor(ctx, z, true, func() (a answer, err error) {
		if watch {
			a.data, a.stat, _, err = z.conn.GetW(z.inside(path))
		} else {
			a.data, a.stat, err = z.conn.Get(z.inside(path))
		}
		return a, err
	})
	if err != nil {
		return nil, Stat{}, fmt.Errorf("get %s: %w", path, err)
	}
	return a.data, statOf(a.stat), nil
}

// Exists is of the interface Coordinator.
func (z *ZooKeeper) Exists(ctx context.Context, path string, watch bool) (Stat, error) {
	stat, err := callFor(ctx, z, true, func() (*zk.Stat, error) {
		exists, stat, err := false, (*zk.Stat)(nil), error(nil)
		if watch {
			exists, stat, _, err = z.conn.ExistsW(z.inside(path))
		} else {
			exists, stat, err = z.conn.Exists(z.inside(path))
		}
		if err == nil && !exists {
			err = zk.ErrNoNode
		}
		return stat, err
	})
	if err != nil {
		return Stat{}, fmt.Errorf("exists %s: %w", path, err)
	}
	return statOf(stat), nil
}

// Children is of the interface Coordinator.
func (z *ZooKeeper) Children(ctx context.Context, path string, watch bool) ([]string, Stat, error) {
	type answer struct {
		names []string
		stat  *zk.Stat
	}
	a, err := callFor(ctx, z, true, func() (a answer, err error) {
		if watch {
			a.names, a.stat, _, err = z.conn.ChildrenW(z.inside(path))
		} else {
			a.names, a.stat, err = z.conn.Children(z.inside(path))
		}
		return a, err
	})
	if err != nil {
		return nil, Stat{}, fmt.Errorf("children of %s: %w", path, err)
	}
	return a.names, statOf(a.stat), nil
}

// Sync is of the interface Coordinator. That the events have arrived too is promised
// (Coordinator.Listen) of a read's answer, hence the second request.
func (z *ZooKeeper) Sync(ctx context.Context) error {
	err := z.call(ctx, true, func() error {
		if _, err := z.conn.Sync(z.inside("/")); err != nil {
			return err
		}
		_, _, err := z.conn.Exists(z.inside("/"))
		return err
	})
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// Multi is of the interface Coordinator.
func (z *ZooKeeper) Multi(ctx context.Context, ops ...Op) ([]Result, error) {
	requests := make([]any, len(ops))
	for i, op := range ops {
		requests[i] = z.request(op)
	}
	type answer struct {
		results []zk.MultiResponse
		err     error
	}
	a, err := callFor(ctx, z, false, func() (answer, error) {
		results, err := z.conn.Multi(requests...)
		if len(results) == len(ops) && err != nil {
			return answer{results, err}, nil // an operation was refused, not the request
		}
		return answer{results, nil}, err
	})
	if err != nil {
		return nil, fmt.Errorf("%v %s and %d more: %w", ops[0].Kind, ops[0].Path, len(ops)-1, err)
	}
	if a.err != nil {
		for i, r := range a.results {
			if r.Error != nil {
				return nil, &OpError{Index: i, Op: ops[i], Err: translate(r.Error)}
			}
		}
		return nil, fmt.Errorf("multi: %w", translate(a.err))
	}
	results := make([]Result, len(ops))
	for i, r := range a.results {
		results[i].Path, _ = z.outside(r.String)
		if ops[i].Kind != OpCreate {
			results[i].Path = ops[i].Path
		}
		if r.Stat != nil {
			results[i].Stat = statOf(r.Stat)
		}
	}
	return results, nil
}

func (z *ZooKeeper) request(op Op) any {
	path := z.inside(op.Path)
	switch op.Kind {
	case OpCreate:
		var flags int32
		if op.Ephemeral {
			flags |= zk.FlagEphemeral
		}
		if op.Sequential {
			flags |= zk.FlagSequence
		}
		return &zk.CreateRequest{Path: path, Data: op.Data, Acl: z.acl(op.Path), Flags: flags}
	case OpSet:
		return &zk.SetDataRequest{Path: path, Data: op.Data, Version: op.Version}
	case OpDelete:
		return &zk.DeleteRequest{Path: path, Version: op.Version}
	case OpCheck:
		return &zk.CheckVersionRequest{Path: path, Version: op.Version}
	}
	panic(fmt.Sprintf("metadata: operation of kind %v", op.Kind))
}

// await returns when there is a session and a connection.
func (z *ZooKeeper) await(ctx context.Context) error {
	z.mu.Lock()
	connected := z.connected
	z.mu.Unlock()
	select {
	case <-connected:
		return nil
	case <-z.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (z *ZooKeeper) call(ctx context.Context, again bool, f func() error) error {
	_, err := callFor(ctx, z, again, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// callFor runs one request of the library, which knows no context: when ctx ends
// first the answer is dropped when it comes, as it does at the latest when the
// connection is lost or closed. A request that was not sent is repeated, and one
// that was too if again says that this does no harm.
func callFor[T any](ctx context.Context, z *ZooKeeper, again bool, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	for {
		if err := z.await(ctx); err != nil {
			return none, err
		}
		select {
		case z.inFlight <- struct{}{}:
		case <-ctx.Done():
			return none, context.Cause(ctx)
		case <-z.closing:
			return none, ErrClosed
		}
		answer := make(chan outcome, 1)
		z.calls.Go(func() {
			defer func() { <-z.inFlight }()
			value, err := f()
			answer <- outcome{value, err}
		})
		var o outcome
		select {
		case o = <-answer:
		case <-ctx.Done():
			if again {
				return none, context.Cause(ctx)
			}
			return none, errors.Join(ErrConnectionLoss, context.Cause(ctx))
		}
		switch {
		case o.err == nil:
			return o.value, nil
		case z.isClosing():
			if again {
				return none, ErrClosed
			}
			return none, errors.Join(ErrClosed, ErrConnectionLoss)
		case errors.Is(o.err, zk.ErrNoServer), again && isLoss(o.err):
			if err := z.breathe(ctx); err != nil {
				return none, err
			}
		case isLoss(o.err) && !errors.Is(o.err, zk.ErrSessionExpired):
			return none, ErrConnectionLoss
		default:
			return none, translate(o.err)
		}
	}
}

// isLoss tells errors of the connection and the session from those of the request.
// Those of a write to the connection come as they are.
func isLoss(err error) bool {
	for _, loss := range []error{
		zk.ErrConnectionClosed, zk.ErrSessionExpired, zk.ErrSessionMoved,
		net.ErrClosed, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, loss) {
			return true
		}
	}
	var network net.Error
	var number syscall.Errno
	return errors.As(err, &network) || errors.As(err, &number)
}

// breathe keeps a request that fails at once from being repeated at once: the
// library may not have noticed yet that the connection is gone.
func (z *ZooKeeper) breathe(ctx context.Context) error {
	select {
	case <-time.After(5 * time.Millisecond):
		return nil
	case <-z.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (z *ZooKeeper) isClosing() bool {
	select {
	case <-z.closing:
		return true
	default:
		return false
	}
}

var translations = [...]struct{ theirs, ours error }{
	{zk.ErrNoNode, ErrNoNode},
	{zk.ErrNodeExists, ErrNodeExists},
	{zk.ErrBadVersion, ErrBadVersion},
	{zk.ErrNotEmpty, ErrNotEmpty},
	{zk.ErrNoAuth, ErrNoAuth},
	{zk.ErrConnectionClosed, ErrConnectionLoss},
	{zk.ErrSessionExpired, ErrSessionExpired},
	{zk.ErrClosing, ErrClosed},
}

// translate has this package's error for one of the library's.
func translate(err error) error {
	for _, t := range translations {
		if errors.Is(err, t.theirs) {
			return t.ours
		}
	}
	return err
}

func statOf(s *zk.Stat) Stat {
	return Stat{
		Created: Zxid(s.Czxid), Modified: Zxid(s.Mzxid), CreatedAt: s.Ctime, Version: s.Version,
		Owner: SessionID(s.EphemeralOwner), Children: s.NumChildren,
	}
}
