package metadata

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// Client writes to the tree what brokers write. Its methods may be called from any
// goroutine. A write whose connection is lost is looked up and, where it did not
// happen, repeated; so each returns a definite outcome or an error of ctx, or
// ErrClosed.
type Client struct {
	Coordinator

	// now is the wall clock, for time stamps in payloads.
	now func() time.Time
}

// NewClient returns a client of a coordinator.
func NewClient(c Coordinator) *Client { return &Client{Coordinator: c, now: time.Now} }

// settle repeats a write whose outcome is unknown, and that may be repeated.
func settle(write func() error) error {
	for {
		err := write()
		if !errors.Is(err, ErrConnectionLoss) || errors.Is(err, ErrClosed) || isDone(err) {
			return err
		}
	}
}

// isDone tells whether the caller's context has ended.
func isDone(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// one performs a single operation, and returns the bare outcome with its path.
func (c *Client) one(ctx context.Context, op Op) (Result, error) {
	results, err := c.Multi(ctx, op)
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
}

// ensure makes a node and those above it, as far as they are not there.
func (c *Client) ensure(ctx context.Context, path string, data []byte) error {
	err := settle(func() error {
		_, err := c.one(ctx, Create(path, data))
		return err
	})
	switch {
	case errors.Is(err, ErrNodeExists):
		return nil
	case errors.Is(err, ErrNoNode) && path != "/":
		if err := c.ensure(ctx, parent(path), nil); err != nil {
			return err
		}
		return c.ensure(ctx, path, data)
	}
	return err
}

// EnsurePaths makes the nodes that every cluster has.
func (c *Client) EnsurePaths(ctx context.Context) error {
	paths := append([]string{}, topLevelPaths[:]...)
	for _, path := range paths {
		if err := c.ensure(ctx, path, nil); err != nil {
			return fmt.Errorf("make the top-level paths: %w", err)
		}
	}
	return nil
}

// EnsureACLPaths makes the nodes that hold ACLs, for brokers that check them.
func (c *Client) EnsureACLPaths(ctx context.Context) error {
	paths := []string{aclChangesPath, aclPrefixedChangesPath}
	for _, t := range resourceTypes {
		paths = append(paths, aclPath+"/"+t, aclPrefixedPath+"/"+t)
	}
	for _, path := range paths {
		if err := c.ensure(ctx, path, nil); err != nil {
			return fmt.Errorf("make the paths of ACLs: %w", err)
		}
	}
	return nil
}

// ClusterID returns the cluster's id, which the first broker chooses.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	for {
		data, _, err := c.Get(ctx, ClusterIDPath, false)
		if err == nil {
			return decodeClusterID(data)
		}
		if !errors.Is(err, ErrNoNode) {
			return "", err
		}
		var id [16]byte
		rand.Read(id[:])
		if err := c.ensure(ctx, ClusterIDPath, encodeClusterID(base64.RawURLEncoding.EncodeToString(id[:]))); err != nil {
			return "", fmt.Errorf("choose the cluster's id: %w", err)
		}
	}
}

// GenerateBrokerID returns an id that no broker has had, greater than reservedMax.
// (Kafka: broker.id=-1, reserved.broker.max.id)
func (c *Client) GenerateBrokerID(ctx context.Context, reservedMax int32) (int32, error) {
	var result Result
	err := settle(func() (err error) { // a number that was lost is nobody's
		result, err = c.one(ctx, Set(BrokerSeqIDPath, nil, AnyVersion))
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("generate a broker id: %w", err)
	}
	return reservedMax + result.Stat.Version, nil
}

// ErrRegistered says that another process holds the registration.
var ErrRegistered = errors.New("another broker is registered with this id")

// Register makes b's registration and returns its epoch. previous is the session
// of a former registration by this process or one that has ended, or 0: what is left of it goes. Of any
// other owner it returns ErrRegistered. (Kafka: CheckedEphemeral)
func (c *Client) Register(ctx context.Context, b *Broker, previous SessionID) (epoch int64, err error) {
	path, payload := BrokerPath(b.ID), EncodeBroker(b)
	for {
		// The second operation is there for its stat: create has none to return.
		results, err := c.Multi(ctx, CreateEphemeral(path, nil), Set(path, payload, 0))
		switch {
		case err == nil:
			return int64(results[1].Stat.Created), nil
		case errors.Is(err, ErrConnectionLoss) && !errors.Is(err, ErrClosed) && !isDone(err), errors.Is(err, ErrSessionExpired):
			continue
		case !errors.Is(err, ErrNodeExists):
			return 0, fmt.Errorf("register broker %d: %w", b.ID, err)
		}
		_, stat, err := c.Get(ctx, path, false)
		switch {
		case errors.Is(err, ErrNoNode):
			continue
		case err != nil:
			return 0, fmt.Errorf("register broker %d: %w", b.ID, err)
		case stat.Owner == c.Session():
			return int64(stat.Created), nil
		case stat.Owner != previous || previous == 0:
			return 0, fmt.Errorf("register broker %d: %w: session %v", b.ID, ErrRegistered, stat.Owner)
		}
		// ZOOKEEPER-2985: an expired session's node may be seen a little longer.
		if _, err := c.one(ctx, Delete(path, AnyVersion)); err != nil && !errors.Is(err, ErrNoNode) && !errors.Is(err, ErrConnectionLoss) {
			return 0, fmt.Errorf("register broker %d: %w", b.ID, err)
		}
	}
}

// Vacate gives up the office of controller if the former session held it, whose process has ended.
func (c *Client) Vacate(ctx context.Context, former SessionID) error {
	_, epoch, err := c.Get(ctx, ControllerEpochPath, false) // before the office: whoever takes that changes this
	if err == nil {
		var office Stat
		if _, office, err = c.Get(ctx, ControllerPath, false); err == nil && office.Owner == former {
			_, err = c.Multi(ctx, Check(ControllerEpochPath, epoch.Version), Delete(ControllerPath, AnyVersion))
		}
	}
	if err != nil && !errors.Is(err, ErrNoNode) && !errors.Is(err, ErrBadVersion) {
		return fmt.Errorf("give up the office of controller of session %v: %w", former, err)
	}
	return nil
}

// UpdateRegistration changes what a registered broker says of itself: its endpoints.
func (c *Client) UpdateRegistration(ctx context.Context, b *Broker) error {
	err := settle(func() error {
		_, err := c.one(ctx, Set(BrokerPath(b.ID), EncodeBroker(b), AnyVersion))
		return err
	})
	if err != nil {
		return fmt.Errorf("change the registration of broker %d: %w", b.ID, err)
	}
	return nil
}

// Unregister removes the registration that has the epoch, if it is there.
func (c *Client) Unregister(ctx context.Context, id int32, epoch int64) error {
	_, stat, err := c.Get(ctx, BrokerPath(id), false)
	if err == nil && int64(stat.Created) == epoch {
		err = settle(func() error {
			_, err := c.one(ctx, Delete(BrokerPath(id), AnyVersion))
			return err
		})
	}
	if err != nil && !errors.Is(err, ErrNoNode) {
		return fmt.Errorf("unregister broker %d: %w", id, err)
	}
	return nil
}
