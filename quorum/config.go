package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"holt/quorum/transport"
)

// MemberConfig is a member as the configuration knows it.
type MemberConfig struct {
	ID uint64
	// Addr is where the member listens for its peers, as Config.Dial takes it.
	Addr string
	// Learner is a member that follows but does not vote (an observer in
	// ZooKeeper's words).
	Learner bool
	// Store, if not zero, identifies the member's log (see Member.Store): one that comes
	// with another log is refused. Zero: the log that it is first seen with.
	Store [16]byte
}

// String is the id, "learner" if it is one, and the address.
func (m MemberConfig) String() string {
	if m.Learner {
		return fmt.Sprintf("%d learner %s", m.ID, m.Addr)
	}
	return fmt.Sprintf("%d %s", m.ID, m.Addr)
}

// Leadership is who leads, as this member sees it.
type Leadership struct {
	// Leader is 0 when there is none.
	Leader, Term uint64
	// Self: this member leads.
	Self bool
}

// Config of a Member. The zero value of a field means its default.
type Config struct {
	// ID is this member's, not 0. It must be among Members if the log is empty,
	// unless Join is set.
	ID uint64

	// Members are the founding members, the same on each of them; used for the
	// membership when the log is empty, and for the members' addresses always.
	Members []MemberConfig

	// Join: this member was not among the founders. Its empty log waits for a
	// snapshot from an ensemble that has been told to add it.
	Join bool

	// Discover: members come and go. One whose log is empty asks Members, its configuration, where it
	// belongs before it founds anything, and is a founder only if they are, too; who was not
	// among them is made a learner by the leader, which has to be told of each newcomer's voice
	// by ChangeMembership. Excludes Join.
	Discover bool

	// Origin is what a founder's state machine began with, if that was not empty. A member with
	// an Origin speaks to founders of the same alone. Ignored once there is a log.
	Origin Origin

	// Dir holds the log and snapshots in transit. One member only.
	Dir string

	// FS holds Dir. Default: the operating system's.
	FS vfs.FS

	// TickInterval is the unit of Raft's clock. Default 50 ms.
	TickInterval time.Duration

	// ElectionTicks without word from the leader make a follower try an
	// election, after a random share of as many again. Default 10.
	ElectionTicks int

	// HeartbeatTicks is the leader's interval of heartbeats. Default 1.
	HeartbeatTicks int

	// Listen opens the listener for peers. Needed unless this is the only
	// member. The member closes it.
	Listen func() (net.Listener, error)

	// ListenAt opens a further listener for peers after a change that gave this member another
	// address. The member closes it. Default: it is reached there from its next start on.
	ListenAt func(addr string) (net.Listener, error)

	// Dial connects to a peer. Default: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)

	// Login has members prove to each other who they are on each connection. Default: they do not.
	Login *transport.Login

	// StateMachine is required. The caller closes it, after the member.
	StateMachine StateMachine

	// OnMessage receives what a peer passed to Send, in order as long as the
	// connection holds. It runs on the goroutine that reads from that peer, apart
	// from Raft's traffic: when it blocks, only that peer's messages wait. The
	// payload may be kept. Default: dropped.
	OnMessage func(from uint64, payload []byte)

	// OnQuestion answers what another member Asked, on a goroutine of that question's own. Default: nothing.
	OnQuestion func(from uint64, question []byte) []byte

	// OnPeer reports that the connection for Send to a peer was made (up) or
	// lost: what was sent earlier may not have arrived. Must not block.
	// Default: nothing.
	OnPeer func(peer uint64, up bool)

	// OnLeadership reports changes, in order, on a goroutine of its own. A
	// change overtaken by later ones may be left out, the last one never is.
	// Default: nothing.
	OnLeadership func(Leadership)

	// SlowLogWrite is the time of a write to the log with its fsync above which
	// a warning is logged. Default 1 s.
	SlowLogWrite time.Duration

	// MaxUnsaved is the number of proposals that may be under way to this
	// member's disk before Propose blocks. Default 4.
	MaxUnsaved int

	// MaxUncommittedBytes of proposals that a majority has not stored yet make
	// Propose block. Default 32 MiB.
	MaxUncommittedBytes uint64

	// MaxMessageBytes bounds the entries of one message to a follower, except
	// that one entry always fits. Default 1 MiB.
	MaxMessageBytes uint64

	// MaxInflight bounds the messages, and MaxInflightBytes the bytes, of
	// entries on the way to one follower. Default 256 and 16 MiB.
	MaxInflight      int
	MaxInflightBytes uint64

	// MaxApplyBytes bounds the entries handed to the state machine and not yet
	// applied. Default 16 MiB.
	MaxApplyBytes uint64

	// MaxBarriers bounds the read barriers that wait. Default 65536.
	MaxBarriers int

	// FlushBytes of entries applied since the state machine was last flushed
	// make the member flush it, and so does FlushInterval with at least one
	// entry. Defaults 8 MiB and 1 minute. They bound what a restart replays.
	FlushBytes    int64
	FlushInterval time.Duration

	// LogBytes is the size past which the log is truncated, to half of it, as
	// far as the state machine is durable. A leader keeps up to LogBytesMax for
	// followers that catch up or were lost less than HoldInterval ago, so that the
	// restart of a member costs no snapshot. Who falls further behind is sent one.
	// Defaults 8 MiB, 64 MiB, 1 minute.
	LogBytes, LogBytesMax int64
	HoldInterval          time.Duration

	// SnapshotBytesPerSecond limits the sending of snapshots, all receivers
	// together. Default 64 MiB. Negative: no limit.
	SnapshotBytesPerSecond int64

	// Logger receives rare transitions; whose they are is for its owner to add. Default: none.
	Logger *zap.Logger
}

func (c Config) withDefaults() Config {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	def(&c.TickInterval, 50*time.Millisecond)
	def(&c.ElectionTicks, 10)
	def(&c.HeartbeatTicks, 1)
	def(&c.SlowLogWrite, time.Second)
	def(&c.MaxUnsaved, 4)
	def(&c.MaxUncommittedBytes, 32<<20)
	def(&c.MaxMessageBytes, 1<<20)
	def(&c.MaxInflight, 256)
	def(&c.MaxInflightBytes, 16<<20)
	def(&c.MaxApplyBytes, 16<<20)
	def(&c.MaxBarriers, 1<<16)
	def(&c.FlushBytes, 8<<20)
	def(&c.FlushInterval, time.Minute)
	def(&c.LogBytes, 8<<20)
	def(&c.LogBytesMax, max(64<<20, c.LogBytes))
	def(&c.HoldInterval, time.Minute)
	def(&c.SnapshotBytesPerSecond, 64<<20)
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	if c.OnMessage == nil {
		c.OnMessage = func(uint64, []byte) {}
	}
	if c.OnPeer == nil {
		c.OnPeer = func(uint64, bool) {}
	}
	if c.OnLeadership == nil {
		c.OnLeadership = func(Leadership) {}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) validate() error {
	switch {
	case c.ID == 0:
		return errors.New("member id 0")
	case c.StateMachine == nil:
		return errors.New("no state machine")
	case c.Dir == "":
		return errors.New("no directory")
	case c.ElectionTicks <= c.HeartbeatTicks:
		return fmt.Errorf("election after %d ticks, heartbeat every %d", c.ElectionTicks, c.HeartbeatTicks)
	case c.MaxInflightBytes < c.MaxMessageBytes:
		return errors.New("fewer bytes in flight than one message may have")
	}
	seen := map[uint64]bool{}
	for _, m := range c.Members {
		if m.ID == 0 || seen[m.ID] {
			return fmt.Errorf("member id %d is zero or used twice", m.ID)
		}
		seen[m.ID] = true
	}
	return nil
}
