package secure

import (
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Complaints logs refused connections without letting whoever makes them fill
// the log: one line per peer's address and remedy a minute, with the number of
// those that were not told. The cause may be of the peer's making.
type Complaints struct {
	log *zap.Logger
	now func() time.Time

	mu   sync.Mutex
	told map[complaint]*tally
}

type complaint struct{ host, remedy string }

type tally struct {
	last   time.Time
	hidden int
}

const (
	complaintEvery = time.Minute
	// complaintsMax bounds the table; beyond it all share one row.
	complaintsMax = 256
)

// NewComplaints makes one that logs to log.
func NewComplaints(log *zap.Logger) *Complaints {
	return &Complaints{log: log, now: time.Now, told: map[complaint]*tally{}}
}

// Handshake logs that a handshake with a peer failed.
func (c *Complaints) Handshake(message string, remote net.Addr, err error, fields ...zap.Field) {
	cause, remedy := Explain(err)
	c.Tell(message, remote, cause, remedy, fields...)
}

// Tell logs one refused connection.
func (c *Complaints) Tell(message string, remote net.Addr, cause, remedy string, fields ...zap.Field) {
	hidden, ok := c.admit(complaint{hostOf(remote), remedy})
	if !ok {
		return
	}
	fields = append(fields, zap.Stringer("remote", remote), zap.String("cause", cause), zap.String("remedy", remedy))
	if hidden > 0 {
		fields = append(fields, zap.Int("similar", hidden))
	}
	c.log.Warn(message, fields...)
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func (c *Complaints) admit(key complaint) (hidden int, ok bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.told[key]
	if t == nil {
		if len(c.told) >= complaintsMax {
			c.dropOldLocked(now)
		}
		if len(c.told) >= complaintsMax {
			key = complaint{} // a row for all
			t = c.told[key]
		}
	}
	if t == nil {
		c.told[key] = &tally{last: now}
		return 0, true
	}
	if now.Sub(t.last) < complaintEvery {
		t.hidden++
		return 0, false
	}
	hidden, t.hidden, t.last = t.hidden, 0, now
	return hidden, true
}

func (c *Complaints) dropOldLocked(now time.Time) {
	for key, t := range c.told {
		if now.Sub(t.last) >= complaintEvery {
			delete(c.told, key)
		}
	}
}
