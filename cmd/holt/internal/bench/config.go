package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"holt/wire/client"
)

// Config says what to run. The zero value of a field means its default.
type Config struct {
	Load        string        // one of Loads
	Servers     []string      // host:port; default 127.0.0.1:2181
	Connections int           // lanes; default 20
	Outstanding int           // requests in flight per lane; default 10. Open loop: the most that may be
	Size        int           // bytes of data per node; default 100, −1 for none
	Nodes       int           // nodes that reads and writes are spread over, children of the one listed; default 1000
	Batch       int           // operations per multi; default 10
	Mix         string        // of mixed: weights of other loads; default get=70,set=30
	WarmUp      time.Duration // default 2 s; negative for none
	Duration    time.Duration // measured time; default 10 s
	Count       int64         // end after so many operations instead, without warm-up; default of delete 100000
	Rate        float64       // operations per second in all, open loop; 0 means closed loop
	Root        string        // parent of everything created; default /bench
	Keep        bool          // leave the nodes that the load created
	SessionTime time.Duration // session timeout asked for; default 30 s
	PIDs        []int         // server processes to watch
	AutoPIDs    bool          // find PIDs by the ports of Servers, on this machine

	// Dial connects to one of Servers; nil means by TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Login logs a session in by SASL; nil means that none is.
	Login func(ctx context.Context, addr string, c *client.Conn) error
}

// Loads are the names that Config.Load takes.
func Loads() []string {
	return []string{"get", "exists", "set", "create", "delete", "children", "multi", "mixed", "watch", "churn"}
}

func (c Config) withDefaults() Config {
	setDefault(&c.Connections, 20)
	setDefault(&c.Outstanding, 10)
	setDefault(&c.Size, 100)
	setDefault(&c.Nodes, 1000)
	setDefault(&c.Batch, 10)
	setDefault(&c.Mix, "get=70,set=30")
	setDefault(&c.WarmUp, 2*time.Second)
	setDefault(&c.Duration, 10*time.Second)
	setDefault(&c.Root, "/bench")
	setDefault(&c.SessionTime, 30*time.Second)
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.Load == "churn" {
		c.Dial = dialForChurn(c.Dial)
	}
	if len(c.Servers) == 0 {
		c.Servers = []string{"127.0.0.1:2181"}
	}
	if c.Size < 0 {
		c.Size = 0
	}
	if c.Load == "delete" && c.Count == 0 {
		c.Count = 100_000 // the nodes must be there before
	}
	if c.WarmUp < 0 || c.Count > 0 {
		c.WarmUp = 0
	}
	return c
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// ErrConfig is the cause of Run's error when the Config makes no sense.
var ErrConfig = errors.New("bad configuration of the load")

// configError is ErrConfig with its reason.
type configError struct{ error }

func (configError) Is(target error) bool { return target == ErrConfig }

func (c Config) validate() error {
	if err := c.problem(); err != nil {
		return configError{err}
	}
	return nil
}

func (c Config) problem() error {
	if !slices.Contains(Loads(), c.Load) {
		return fmt.Errorf("unknown load %q: want one of %s", c.Load, strings.Join(Loads(), ", "))
	}
	for name, n := range map[string]int{"connections": c.Connections, "outstanding": c.Outstanding, "nodes": c.Nodes, "batch": c.Batch} {
		if n < 1 {
			return fmt.Errorf("%s must be at least 1, not %d", name, n)
		}
	}
	if _, _, err := parseMix(c.Mix); err != nil {
		return err
	}
	switch {
	case c.Rate < 0 || c.Count < 0 || c.Duration < 0:
		return errors.New("rate, count and duration must not be negative")
	case c.Rate > 0 && c.Count > 0:
		return errors.New("a load has a rate or a count (delete always has one), not both")
	case c.Rate > 0 && (c.Load == "watch" || c.Load == "churn"):
		return fmt.Errorf("load %s has no open loop", c.Load)
	case !strings.HasPrefix(c.Root, "/") || strings.HasSuffix(c.Root, "/"):
		return fmt.Errorf("root %q must begin with a slash and not end with one", c.Root)
	}
	return nil
}
