package secure

import (
	"net"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestComplaints(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	c := NewComplaints(zap.New(core))
	now := time.Unix(1000, 0)
	c.now = func() time.Time { return now }
	from := func(host string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(host), Port: 1} }
	tell := func(host, remedy string) { c.Tell("refused", from(host), "some cause", remedy) }

	for range 5 {
		tell("10.0.0.1", "a")
	}
	tell("10.0.0.1", "b")
	tell("10.0.0.2", "a")
	if logs.Len() != 3 {
		t.Errorf("%d lines for 7 complaints of 3 kinds", logs.Len())
	}
	now = now.Add(time.Minute)
	tell("10.0.0.1", "a")
	last := logs.All()[logs.Len()-1].ContextMap()
	if last["similar"] != int64(4) || last["cause"] != "some cause" || last["remedy"] != "a" || last["remote"] != "10.0.0.1:1" {
		t.Errorf("after a minute: %v", last)
	}
}

// TestComplaintsAreBounded has thousands of hosts complained of.
func TestComplaintsAreBounded(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	c := NewComplaints(zap.New(core))
	now := time.Unix(1000, 0)
	c.now = func() time.Time { return now }
	for i := range 5000 {
		c.Tell("refused", &net.TCPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i)), Port: 1}, "cause", "remedy")
	}
	if len(c.told) > complaintsMax+1 || logs.Len() > complaintsMax+1 {
		t.Errorf("%d rows, %d lines", len(c.told), logs.Len())
	}
	now = now.Add(2 * time.Minute)
	c.Tell("refused", &net.TCPAddr{IP: net.IPv4(10, 1, 0, 0), Port: 1}, "cause", "remedy")
	if len(c.told) != 1 {
		t.Errorf("%d rows after all are old", len(c.told))
	}
}
