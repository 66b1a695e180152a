package server

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"
)

// Effective returns a copy in which every field has the value that holds, be it
// a default. Seams are filled in too.
func (c Config) Effective() Config { return c.withDefaults() }

// withDefaults returns a copy in which every field has its effective value.
func (c Config) withDefaults() Config {
	if c.MemberID == 0 && len(c.Members) == 0 {
		c.MemberID = 1
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	c.Members = append([]Member(nil), c.Members...)
	for i := range c.Members {
		if m := &c.Members[i]; m.PeerAddr == "" && m.QuorumPort != 0 {
			m.PeerAddr = net.JoinHostPort(m.Host, strconv.Itoa(m.QuorumPort))
		}
	}
	if c.Standalone() { // as in ZooKeeper, whose ServerConfig has none
		c.LocalSessions, c.LocalSessionsUpgrade = false, false
	}
	setDefault(&c.LogDir, c.DataDir)
	setDefault(&c.ClientAddr, "0.0.0.0:2181")
	setDefault(&c.MetricsAddr, Off)
	setDefault(&c.AdminAddr, Off)
	setDefault(&c.AdminCommandURL, "/commands")
	setDefault(&c.AdminIdleTimeoutMillis, 30_000)
	setDefault(&c.AdminSnapshotIntervalMillis, 300_000)
	setDefault(&c.DigestAlg, "SHA1")
	setDefault(&c.FsyncWarnMillis, 1000)
	setDefault(&c.SnapCount, 100_000)
	setDefault(&c.CacheBytes, 52<<20)
	setDefault(&c.TickMillis, 3000)
	setDefault(&c.InitLimit, 10)
	setDefault(&c.SyncLimit, 5)
	setDefault(&c.MaxClientConns, 60)
	setDefault(&c.HandshakeTimeoutMillis, 10_000)
	setDefault(&c.MaxFrame, 1048575)
	setDefault(&c.MaxWatches, 1<<20)
	setDefault(&c.GlobalOutstandingLimit, 1000)
	setDefault(&c.RequestThrottleStallMillis, 100)
	setDefault(&c.LargeRequestMaxBytes, 100<<20)
	setDefault(&c.ConnTokenFill, 1)
	setDefault(&c.ConnTokenFillMillis, 1)
	setDefault(&c.ContainerCheckMillis, 60_000)
	setDefault(&c.ContainerMaxPerMinute, 10_000)
	if c.MinSessionTimeoutMillis <= 0 {
		c.MinSessionTimeoutMillis = 2 * c.TickMillis
	}
	if c.MaxSessionTimeoutMillis <= 0 {
		c.MaxSessionTimeoutMillis = 20 * c.TickMillis
	}
	if c.FourLetterWords == nil {
		c.FourLetterWords = []string{"srvr"}
		if c.ReadOnlyMode {
			c.FourLetterWords = append(c.FourLetterWords, "isro")
		}
	}
	c.setSeams()
	return c
}

func (c *Config) setSeams() {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Listen == nil {
		c.Listen = func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
