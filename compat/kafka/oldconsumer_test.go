package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kgo"
)

// oldConsumer is a consumer as Kafka shipped it before 2.0. Group, owners and offsets are znodes:
//
//	/consumers/<group>/ids/<id>                  ephemeral: who is in the group
//	/consumers/<group>/owners/<topic>/<part>     ephemeral: "<id>-0", who reads the partition
//	/consumers/<group>/offsets/<topic>/<part>    decimal text: the next offset
//
// Each member watches ids, computes the same assignment as the others, gives back what it shall
// not read any more and claims the rest, waiting until the former owner let go.
type oldConsumer struct {
	group, id, topic string
	seen             func(partition int32, offset int64, value string)

	zk     *zk.Conn
	client *kgo.Client
	link   *link

	owned map[int32]bool // of run's goroutine
	stop  context.CancelFunc
	done  chan struct{}
	err   error // set before done is closed
}

const oldSessionTimeout = 4 * time.Second

// link dials for a session and can be cut for ever, as the network of a machine that died.
type link struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (l *link) dial(network, addr string, timeout time.Duration) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errors.New("the link is cut")
	}
	c, err := net.DialTimeout(network, addr, timeout)
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

func (l *link) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for _, c := range l.conns {
		c.Close() // the session notices
	}
}

// quiet keeps the client's talk out of the test's output.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// join starts a member of the group. servers are the coordination members, brokers Kafka's.
func join(t *testing.T, servers, brokers []string, group, id, topic string, seen func(int32, int64, string)) *oldConsumer {
	t.Helper()
	o := &oldConsumer{group: group, id: id, topic: topic, seen: seen, link: &link{}, owned: map[int32]bool{}, done: make(chan struct{})}
	var err error
	o.zk, _, err = zk.Connect(servers, oldSessionTimeout, zk.WithDialer(o.link.dial), zk.WithLogger(quiet{}))
	check(t, err)
	o.client, err = kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.FetchMaxWait(100*time.Millisecond))
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background()) // ends with leave or die, not with a step
	o.stop = cancel
	go func() {
		defer close(o.done)
		if o.err = o.run(ctx); errors.Is(o.err, context.Canceled) {
			o.err = nil
		}
	}()
	return o
}

// leave ends the member in order and returns what went wrong in its life.
func (o *oldConsumer) leave() error {
	o.stop()
	<-o.done
	o.client.Close()
	o.zk.Close()
	return o.err
}

// die ends the member without a word: its ephemerals stay until its session is expired.
func (o *oldConsumer) die() {
	o.link.sever()
	o.stop()
	<-o.done
	o.client.Close()
	o.zk.Close() // tries to say good-bye over a link that is cut, and gives up after a second
}

func (o *oldConsumer) path(parts ...string) string {
	return chroot + "/consumers/" + o.group + "/" + strings.Join(parts, "/")
}

// run registers the member and reads until ctx ends.
func (o *oldConsumer) run(ctx context.Context) error {
	for _, dir := range []string{o.path("ids"), o.path("owners", o.topic), o.path("offsets", o.topic)} {
		if err := o.makeAll(dir); err != nil {
			return err
		}
	}
	about, err := json.Marshal(map[string]any{"version": 1, "subscription": map[string]int{o.topic: 1}, "pattern": "static",
		"timestamp": fmt.Sprint(time.Now().UnixMilli())})
	if err != nil {
		return err
	}
	if _, err := o.zk.Create(o.path("ids", o.id), about, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	for {
		changed, err := o.rebalance(ctx)
		if err != nil {
			return fmt.Errorf("rebalance: %w", err)
		}
		if err := o.readUntil(ctx, changed); err != nil {
			return err
		}
	}
}

func (o *oldConsumer) makeAll(path string) error {
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		if _, err := o.zk.Create(path[:i], nil, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("create %s: %w", path[:i], err)
		}
	}
	return nil
}

// rebalance makes the member own its share, and returns what tells that the group has changed.
func (o *oldConsumer) rebalance(ctx context.Context) (<-chan zk.Event, error) {
	ids, _, changed, err := o.zk.ChildrenW(o.path("ids"))
	if err != nil {
		return nil, err
	}
	partitions, err := o.partitions()
	if err != nil {
		return nil, err
	}
	share := shareOf(o.id, ids, partitions)
	for p := range o.owned {
		if !slices.Contains(share, p) {
			if err := o.release(p); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range share {
		if o.owned[p] {
			continue
		}
		switch err := o.claim(ctx, p, changed); {
		case errors.Is(err, errChanged):
			return changedNow(), nil
		case err != nil:
			return nil, err
		}
	}
	return changed, nil
}

var errChanged = errors.New("the group has changed")

func changedNow() <-chan zk.Event {
	c := make(chan zk.Event)
	close(c)
	return c
}

// partitions reads the topic's partitions from the brokers' own znode.
func (o *oldConsumer) partitions() ([]int32, error) {
	data, _, err := o.zk.Get(chroot + "/brokers/topics/" + o.topic)
	if err != nil {
		return nil, err
	}
	var topic struct {
		Partitions map[string][]int `json:"partitions"`
	}
	if err := json.Unmarshal(data, &topic); err != nil {
		return nil, err
	}
	var ps []int32
	for name := range topic.Partitions {
		p, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			return nil, err
		}
		ps = append(ps, int32(p))
	}
	slices.Sort(ps)
	return ps, nil
}

// shareOf is the range assignment: the sorted members get neighbouring partitions, the first ones
// one more if it does not come out even.
func shareOf(id string, ids []string, partitions []int32) []int32 {
	ids = slices.Sorted(slices.Values(ids))
	i := slices.Index(ids, id)
	if i < 0 {
		return nil
	}
	each, more := len(partitions)/len(ids), len(partitions)%len(ids)
	first := i*each + min(i, more)
	n := each
	if i < more {
		n++
	}
	return partitions[first : first+n]
}

// claim waits until nobody owns p, owns it, and begins to read where the group is.
func (o *oldConsumer) claim(ctx context.Context, p int32, changed <-chan zk.Event) error {
	owner := o.path("owners", o.topic, fmt.Sprint(p))
	for {
		_, err := o.zk.Create(owner, []byte(o.id+"-0"), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
		if err == nil {
			break
		}
		if !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
		_, _, gone, err := o.zk.ExistsW(owner)
		if err != nil {
			return err
		}
		select {
		case <-gone:
		case <-time.After(time.Second): // the node went between create and exists
		case <-changed:
			return errChanged
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	offset, err := o.committed(p)
	if err != nil {
		return err
	}
	o.owned[p] = true
	o.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: {p: kgo.NewOffset().At(offset)}})
	return nil
}

func (o *oldConsumer) release(p int32) error {
	o.client.RemoveConsumePartitions(map[string][]int32{o.topic: {p}})
	delete(o.owned, p)
	return o.zk.Delete(o.path("owners", o.topic, fmt.Sprint(p)), -1)
}

func (o *oldConsumer) committed(p int32) (int64, error) {
	data, _, err := o.zk.Get(o.path("offsets", o.topic, fmt.Sprint(p)))
	if errors.Is(err, zk.ErrNoNode) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(data), 10, 64)
}

func (o *oldConsumer) commit(p int32, offset int64) error {
	path, data := o.path("offsets", o.topic, fmt.Sprint(p)), fmt.Append(nil, offset)
	_, err := o.zk.Set(path, data, -1)
	if errors.Is(err, zk.ErrNoNode) {
		_, err = o.zk.Create(path, data, 0, zk.WorldACL(zk.PermAll))
	}
	return err
}

// readUntil reads and commits until the group changes. A commit that meets a member's end is
// tried again: the session outlives it.
func (o *oldConsumer) readUntil(ctx context.Context, changed <-chan zk.Event) error {
	for {
		select {
		case <-changed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		poll, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		fetches := o.client.PollFetches(poll)
		cancel()
		next := map[int32]int64{}
		fetches.EachRecord(func(r *kgo.Record) {
			if o.owned[r.Partition] { // or the fetch was under way when it was given back
				o.seen(r.Partition, r.Offset, string(r.Value))
				next[r.Partition] = r.Offset + 1
			}
		})
		for p, offset := range next {
			if err := o.retry(ctx, func() error { return o.commit(p, offset) }); err != nil {
				return fmt.Errorf("commit %d of partition %d: %w", offset, p, err)
			}
		}
	}
}

func (o *oldConsumer) retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !errors.Is(err, zk.ErrConnectionClosed) && !errors.Is(err, zk.ErrNoServer) {
			return err
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return ctx.Err()
		}
	}
}
