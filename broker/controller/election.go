package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"holt/broker/metadata"
)

// candidate stands for election if there is no controller and this broker may be it. It
// returns the term it has won, or nil.
func (c *Controller) candidate(ctx context.Context) *term {
	ctx, end := context.WithCancel(ctx)
	c.mu.Lock()
	registered := c.broker != 0
	c.endTerm = end
	c.mu.Unlock()
	last := c.cfg.Follower.Image().Controller()
	if !registered || !c.vacant(last) || ctx.Err() != nil {
		end()
		return nil
	}
	session := c.cfg.Client.Session()
	epoch, version, err := c.elect(ctx, last, session)
	if err == nil {
		err = c.cfg.Follower.Sync(ctx)
	}
	switch {
	case err == nil && epoch > 0 && c.cfg.Client.Session() == session:
		return newTerm(ctx, end, c, epoch, version, session)
	case err != nil && ctx.Err() == nil:
		c.cfg.Logger.Warn("election of the controller failed", zap.Error(err))
	}
	end()
	return nil
}

// vacant tells whether the office is free. A node of this broker's own session is
// what an election left whose outcome was lost.
func (c *Controller) vacant(last metadata.Controller) bool {
	return last.ID < 0 || last.Owner != 0 && last.Owner == c.cfg.Client.Session()
}

// elect takes the office and the next epoch at once, and returns the epoch with the
// version that fences its writes; 0 if somebody else was faster. (Kafka:
// KafkaZkClient.registerControllerAndIncrementControllerEpoch)
func (c *Controller) elect(ctx context.Context, last metadata.Controller, session metadata.SessionID) (epoch, version int32, err error) {
	epoch, version, err = c.readEpoch(ctx, last)
	if err != nil {
		return 0, 0, err
	}
	if err := c.clearOwn(ctx, session); err != nil {
		return 0, 0, err
	}
	epoch++
	payload := metadata.EncodeController(c.cfg.Broker, time.Now().UnixMilli())
	results, err := c.cfg.Client.Multi(ctx,
		metadata.CreateEphemeral(metadata.ControllerPath, payload),
		metadata.Set(metadata.ControllerEpochPath, metadata.EncodeControllerEpoch(epoch), version))
	switch {
	case err == nil:
		return epoch, results[1].Stat.Version, nil
	case errors.Is(err, metadata.ErrConnectionLoss) && ctx.Err() == nil:
		// The node, if it is there, is found to be this session's own, and cleared.
		return 0, 0, fmt.Errorf("outcome unknown: %w", err)
	case errors.Is(err, metadata.ErrNodeExists), errors.Is(err, metadata.ErrBadVersion):
		return 0, 0, nil
	}
	return 0, 0, err
}

// readEpoch returns the last epoch, from the image if it has it: the multi finds out
// when it is not the newest.
func (c *Controller) readEpoch(ctx context.Context, last metadata.Controller) (epoch, version int32, err error) {
	if last.EpochVersion >= 0 {
		return last.Epoch, last.EpochVersion, nil
	}
	_, err = c.cfg.Client.Multi(ctx, metadata.Create(metadata.ControllerEpochPath, metadata.EncodeControllerEpoch(0)))
	if err != nil && !errors.Is(err, metadata.ErrNodeExists) && !errors.Is(err, metadata.ErrConnectionLoss) {
		return 0, 0, err
	}
	data, stat, err := c.cfg.Client.Get(ctx, metadata.ControllerEpochPath, false)
	if err != nil {
		return 0, 0, err
	}
	epoch, err = metadata.DecodeControllerEpoch(data)
	return epoch, stat.Version, err
}

// clearOwn deletes a controller's node of this session: it belongs to an election that
// nobody knows to be won, because the connection was lost.
func (c *Controller) clearOwn(ctx context.Context, session metadata.SessionID) error {
	if c.cfg.Follower.Image().Controller().ID < 0 {
		return nil
	}
	_, stat, err := c.cfg.Client.Get(ctx, metadata.ControllerPath, false)
	if errors.Is(err, metadata.ErrNoNode) {
		return nil
	}
	if err != nil || stat.Owner != session {
		return err
	}
	_, err = c.cfg.Client.Multi(ctx, metadata.Delete(metadata.ControllerPath, stat.Version))
	if errors.Is(err, metadata.ErrNoNode) {
		return nil
	}
	return err
}
