package brokerkills

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/ensemble"
	"holt/compat/kafka"
)

// The faults. Every one is over, and all replicas are in sync again, before the next.
const (
	killLeader       = "kill -9 of a leader"
	killFollower     = "kill -9 of a follower"
	killController   = "kill -9 of the controller"
	pauseLeader      = "pause of a leader beyond its session"
	killCoordination = "kill -9 of the coordination leader"
	killTwice        = "kill -9 of a leader, and again while it recovers"
	pauseController  = "pause of the controller beyond its session"
	restartLeader    = "kill -9 of a leader that starts again at once"
)

// faultsFor returns the faults for brokers of a kind. Kafka's refuse to start before their former session
// has ended.
func faultsFor(kind kafka.Kind) []string {
	all := []string{killLeader, killController, pauseLeader, killFollower, killCoordination, killTwice, pauseController}
	if kind == kafka.Holt {
		all = append(all, restartLeader)
	}
	return all
}

// schedule returns n faults in an order that rng chooses, each about as often as the others.
func schedule(faults []string, n int, rng *rand.Rand) []string {
	var out []string
	for len(out) < n {
		round := slices.Clone(faults)
		rng.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		out = append(out, round...)
	}
	return out[:n]
}

// faulty does the faults to a cluster.
type faulty struct {
	faults  []string
	crew    *crew
	members *ensemble.Ensemble
	brokers *kafka.Cluster
	chroot  string
	session time.Duration
	limit   time.Duration // of Outage
	rng     *rand.Rand
	admin   *kadm.Client
	zk      *zk.Conn
	log     func(format string, args ...any)
}

// do does one fault and returns when all is well again.
func (f *faulty) do(ctx context.Context, fault string) error {
	if fault == killCoordination {
		return f.killCoordinationLeader(ctx)
	}
	victim, err := f.victim(ctx, fault)
	if err != nil {
		return err
	}
	led, err := f.ledBy(ctx, victim)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s: broker %d", fault, victim.ID())
	if fault == pauseLeader || fault == pauseController {
		return f.pause(ctx, victim, what)
	}
	before, err := f.registration(victim)
	if err != nil {
		return err
	}
	if err := victim.Kill(); err != nil {
		return err
	}
	killed := f.crew.now()
	if fault == restartLeader {
		if err := victim.Start(); err != nil {
			return err
		}
	}
	if err := f.gone(ctx, victim, before); err != nil {
		return err
	}
	o := Outage{Fault: what, Ended: f.crew.now(), Partitions: led, Limit: f.limit}
	f.crew.addOutage(o)
	f.crew.waitResumed(ctx, o)
	f.log("%s, leader of %v: registration gone after %v, acknowledgements at all of them %v later", what, led,
		(o.Ended - killed).Round(time.Millisecond), (f.crew.now() - o.Ended).Round(time.Millisecond))
	if fault == killTwice {
		if err := f.killAgain(ctx, victim); err != nil {
			return err
		}
	}
	return f.back(ctx, victim)
}

// killAgain starts the broker and kills it at a moment of its start or recovery.
func (f *faulty) killAgain(ctx context.Context, victim *kafka.Broker) error {
	if err := victim.Start(); err != nil {
		return err
	}
	pause(ctx, time.Duration(f.rng.IntN(1500))*time.Millisecond)
	return victim.Kill()
}

// back starts a broker and waits until it has caught up everywhere.
func (f *faulty) back(ctx context.Context, victim *kafka.Broker) error {
	if !victim.Running() {
		if err := victim.Start(); err != nil {
			return err
		}
	}
	if err := victim.Ready(ctx); err != nil {
		return err
	}
	if err := f.brokers.InSync(ctx, topic); err != nil {
		return err
	}
	pause(ctx, time.Duration(500+f.rng.IntN(1000))*time.Millisecond)
	return nil
}

// pause stops a broker's process until its session has ended and a little longer, and lets it go
// on: it believes that it leads.
func (f *faulty) pause(ctx context.Context, victim *kafka.Broker, what string) error {
	before, err := f.registration(victim)
	if err != nil {
		return err
	}
	if err := victim.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err = f.gone(ctx, victim, before)
	pause(ctx, time.Duration(500+f.rng.IntN(2500))*time.Millisecond)
	if contErr := victim.Signal(syscall.SIGCONT); contErr != nil {
		return contErr
	}
	if err != nil {
		return err
	}
	f.log("%s", what)
	for {
		if now, err := f.registration(victim); err == nil && now != before {
			break
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("broker %d does not register again: %w", victim.ID(), context.Cause(ctx))
		}
	}
	return f.back(ctx, victim)
}

// killCoordinationLeader kills and restarts the member that leads. No broker may lose its
// session by that.
func (f *faulty) killCoordinationLeader(ctx context.Context) error {
	before := make(map[int]int64)
	for _, b := range f.brokers.Brokers() {
		czxid, err := f.registration(b)
		if err != nil {
			return err
		}
		before[b.ID()] = czxid
	}
	leader, err := f.members.Leader(ctx)
	if err != nil {
		return err
	}
	if err := leader.Kill(); err != nil {
		return err
	}
	pause(ctx, time.Duration(200+f.rng.IntN(2000))*time.Millisecond)
	if err := f.members.StartAll(ctx); err != nil {
		return err
	}
	f.log("%s: member %d", killCoordination, leader.ID())
	pause(ctx, f.session+time.Second)
	for _, b := range f.brokers.Brokers() {
		if now, err := f.registration(b); err != nil || now != before[b.ID()] {
			f.log("broker %d lost its session when the coordination leader died (%v)", b.ID(), err)
		}
	}
	return f.back(ctx, f.brokers.Brokers()[0])
}

// victim chooses the broker for a fault.
func (f *faulty) victim(ctx context.Context, fault string) (*kafka.Broker, error) {
	if fault == killController || fault == pauseController {
		return f.brokers.Controller(ctx)
	}
	for {
		t, err := f.describe(ctx)
		p := t.Partitions[int32(f.rng.IntN(partitions))]
		candidates := []int32{p.Leader}
		if fault == killFollower {
			candidates = slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool { return id == p.Leader })
		}
		for _, b := range f.brokers.Brokers() {
			if err == nil && len(candidates) > 0 && int32(b.ID()) == candidates[f.rng.IntN(len(candidates))] {
				return b, nil
			}
		}
		if !pause(ctx, 100*time.Millisecond) {
			return nil, fmt.Errorf("no victim: %w: %v", context.Cause(ctx), err)
		}
	}
}

func (f *faulty) describe(ctx context.Context) (kadm.TopicDetail, error) {
	topics, err := f.admin.ListTopics(ctx, topic)
	return topics[topic], err
}

// ledBy returns the partitions that a broker leads.
func (f *faulty) ledBy(ctx context.Context, b *kafka.Broker) ([]int32, error) {
	t, err := f.describe(ctx)
	if err != nil {
		return nil, err
	}
	var led []int32
	for _, p := range t.Partitions.Sorted() {
		if p.Leader == int32(b.ID()) {
			led = append(led, p.Partition)
		}
	}
	return led, nil
}

func (f *faulty) path(b *kafka.Broker) string {
	return fmt.Sprintf("%s/brokers/ids/%d", f.chroot, b.ID())
}

// registration returns the zxid that created a broker's registration, 0 if there is none.
func (f *faulty) registration(b *kafka.Broker) (int64, error) {
	exists, stat, err := f.zk.Exists(f.path(b))
	if err != nil || !exists {
		return 0, err
	}
	return stat.Czxid, nil
}

// gone waits until the registration before is no more.
func (f *faulty) gone(ctx context.Context, b *kafka.Broker, before int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, f.session+20*time.Second, fmt.Errorf("not within %v", f.session+20*time.Second))
	defer cancel()
	for {
		if now, err := f.registration(b); err == nil && now != before {
			return nil
		}
		if !pause(ctx, 5*time.Millisecond) {
			return fmt.Errorf("the session of broker %d does not end: %w", b.ID(), context.Cause(ctx))
		}
	}
}

func (c *crew) addOutage(o Outage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outages = append(c.outages, o)
}

// waitResumed waits until each partition of o has acknowledged something, or for twenty seconds:
// Check says what that means.
func (c *crew) waitResumed(ctx context.Context, o Outage) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for pause(ctx, 20*time.Millisecond) {
		resumed := make(map[int32]bool)
		c.mu.Lock()
		for i := len(c.writes) - 1; i >= 0 && i > len(c.writes)-20000; i-- {
			if w := c.writes[i]; w.Acked && w.Done >= o.Ended {
				resumed[w.Partition] = true
			}
		}
		c.mu.Unlock()
		if !slices.ContainsFunc(o.Partitions, func(p int32) bool { return !resumed[p] }) {
			return
		}
	}
}

// open connects f's clients; close ends them.
func (f *faulty) open() error {
	client, err := f.crew.client(kgo.MetadataMaxAge(time.Second))
	if err != nil {
		return err
	}
	f.admin = kadm.NewClient(client)
	f.zk, _, err = zk.Connect(f.members.Addrs(), 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(silent{}))
	return err
}

func (f *faulty) close() {
	f.admin.Close()
	f.zk.Close()
}

// silent drops what the ZooKeeper client has to say: it reports every member that is killed.
type silent struct{}

func (silent) Printf(string, ...any) {}
