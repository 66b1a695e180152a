package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"holt/broker/kerror"
)

// closeWait bounds what Close does with the tree.
const closeWait = 5 * time.Second

// Close stops the broker in order: it hands leaderships over to other brokers, answers
// requests that wait, ends connections when what they sent is answered, gives up the
// office of controller and the registration, flushes the logs and marks them as clean. It may
// be called twice, and returns when all goroutines ended. The error is what could not be
// written.
func (b *Broker) Close() error {
	b.closeOnce.Do(func() {
		began := time.Now()
		b.handOver()
		b.closeErr = b.abandon()
		b.log.Info("broker stopped", zap.Int32("broker", b.id), zap.Duration("took", time.Since(began)))
	})
	return b.closeErr
}

// handOver has the controller move leaderships to other brokers, where there are such.
// (Kafka: KafkaServer.controlledShutdown)
func (b *Broker) handOver() {
	s := b.settings()
	if !s.BrokerBool("controlled.shutdown.enable") || len(b.applied.get().BrokerIDs()) < 2 || b.registrar.Load().Epoch() == 0 {
		return
	}
	backoff := time.Duration(s.BrokerInt("controlled.shutdown.retry.backoff.ms")) * time.Millisecond
	for attempt := range s.BrokerInt("controlled.shutdown.max.retries") + 1 {
		if attempt > 0 {
			time.Sleep(min(backoff, time.Second))
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		left, err := b.askShutdown(ctx)
		cancel()
		if err == nil {
			b.replicas.Retire()
		}
		switch {
		case err != nil:
			b.log.Warn("leaderships are not handed over", errField(err))
		case left == 0:
			return
		default:
			b.log.Warn("leaderships are left", zap.Int("partitions", left))
		}
	}
}

// askShutdown asks the controller once, and returns how many partitions are still led here.
func (b *Broker) askShutdown(ctx context.Context) (left int, err error) {
	epoch := b.registrar.Load().Epoch()
	tps, code, err := b.controller.Shutdown(ctx, b.id, epoch)
	if err != nil {
		return 0, err
	}
	if code == kerror.NotController {
		return b.askOtherShutdown(ctx, epoch)
	}
	if code != kerror.OK {
		return 0, fmt.Errorf("the controller answers %s", code)
	}
	return len(tps), nil
}

func (b *Broker) askOtherShutdown(ctx context.Context, epoch int64) (left int, err error) {
	id := b.applied.get().Controller().ID
	if id < 0 || id == b.id {
		return 0, errors.New("there is no controller")
	}
	req := kmsg.NewPtrControlledShutdownRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 3, b.id, epoch
	resp, err := b.peers.Do(ctx, id, req)
	if err != nil {
		return 0, err
	}
	r := resp.(*kmsg.ControlledShutdownResponse)
	if code := kerror.Code(r.ErrorCode); code != kerror.OK {
		return 0, fmt.Errorf("controller %d answers %s", id, code)
	}
	return len(r.PartitionsRemaining), nil
}

// abandon ends all that was started, in the opposite order. What is nil was not.
func (b *Broker) abandon() error {
	var errs []error
	keep := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if b.metrics != nil {
		keep(b.metrics.close())
	}
	// Whoever waits is answered, so that connections have nothing left to wait for.
	if b.applied != nil {
		b.applied.close()
	}
	if b.replicas != nil {
		b.replicas.Retire()
		b.replicas.Drain()
	}
	if b.groups != nil {
		b.groups.Close()
	}
	if b.txns != nil {
		b.txns.Close()
	}
	if b.net != nil {
		keep(b.net.Close())
	}
	if b.controller != nil {
		b.controller.Close()
	}
	if r := b.registrar.Load(); r != nil {
		r.Close()
		if err := r.Unregister(ctx); err != nil {
			b.log.Warn("the registration stays until the session ends", errField(err))
		}
	}
	if b.unfollow != nil {
		b.unfollow()
	}
	if b.follower != nil {
		b.follower.Close()
	}
	if b.replicas != nil {
		keep(b.replicas.Close())
	}
	if b.peers != nil {
		b.peers.Close()
	}
	b.wg.Wait()
	if b.tree != nil {
		keep(b.tree.Close())
	}
	return errors.Join(errs...)
}
