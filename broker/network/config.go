package network

import (
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"holt/broker/auth"
	"holt/broker/protocol"
)

// SecurityProtocol says how a listener protects and authenticates, in Kafka's names.
type SecurityProtocol string

// The security protocols.
const (
	Plaintext     SecurityProtocol = "PLAINTEXT"
	SSL           SecurityProtocol = "SSL"
	SASLPlaintext SecurityProtocol = "SASL_PLAINTEXT"
	SASLSSL       SecurityProtocol = "SASL_SSL"
)

// TLS reports whether connections are encrypted.
func (p SecurityProtocol) TLS() bool { return p == SSL || p == SASLSSL }

// SASL reports whether clients authenticate by SASL.
func (p SecurityProtocol) SASL() bool { return p == SASLPlaintext || p == SASLSSL }

func (p SecurityProtocol) known() bool {
	return p == Plaintext || p == SSL || p == SASLPlaintext || p == SASLSSL
}

// Config is what a Server is made of. The zero value of a field is its default.
type Config struct {
	Listeners []Listener
	// APIs are those served; others end the connection. Required.
	APIs *protocol.Table
	// Features are what ApiVersions announces, asked for each time; nil: none.
	Features func() protocol.Features

	// RequestBytesMax bounds a Produce request, 100 MiB [socket.request.max.bytes].
	// Other requests have the lower limit protocol.ControlFrameMax too.
	RequestBytesMax int
	// SASLBytesMax bounds a request before authentication, 512 KiB [sasl.server.max.receive.size].
	SASLBytesMax int
	// FrameBytesMax bounds the large frames of all connections together, 512 MiB, at least
	// 2*RequestBytesMax [queued.max.request.bytes]. A connection that would go over it waits,
	// and after frameWait is closed.
	FrameBytesMax int64
	// IdleMillis closes a connection on which nothing happened for so long, 10
	// minutes; negative: never [connections.max.idle.ms].
	IdleMillis int64
	// FailedAuthDelayMillis is how long a client that failed to authenticate waits
	// for the answer, 100; negative: not at all [connection.failed.authentication.delay.ms].
	FailedAuthDelayMillis int64
	// DrainMillis is how long Close waits for pending requests, 5000; negative: not at all.
	DrainMillis int64
	// SendBufferBytes and ReceiveBufferBytes set the socket's buffers; 0 and −1: as the system
	// thinks best [socket.send.buffer.bytes, socket.receive.buffer.bytes].
	SendBufferBytes, ReceiveBufferBytes int
	// ReloadMillis is how often certificate files are looked at, 10 s; negative: never.
	ReloadMillis int64
	// Limits are on connections; Server.SetLimits changes them later.
	Limits Limits

	// Listen opens sockets; net.Listen if nil.
	Listen func(network, address string) (net.Listener, error)
	Logger *zap.Logger
}

// Listener is a place where clients connect.
type Listener struct {
	// Name is what advertised addresses and settings go by, as INTERNAL.
	Name     string
	Protocol SecurityProtocol
	// Address is host:port. An empty host is every address of the machine; localhost, both
	// 127.0.0.1 and ::1, for clients do not agree on which it is.
	Address string
	// TLS is required if Protocol has TLS.
	TLS *TLS
	// Mechanisms are required if Protocol has SASL.
	Mechanisms []auth.Mechanism
	// ReauthMillis is how long an authentication lasts; 0: as long as the connection
	// [connections.max.reauth.ms]. ReauthByMechanism overrides it.
	ReauthMillis      int64
	ReauthByMechanism map[string]int64
}

// Limits bound how many connections there may be and how fast they come. Zero is
// no limit.
type Limits struct {
	Connections       int            // [max.connections]: more wait to be accepted
	ListenerMax       map[string]int // by listener [listener.name.X.max.connections]
	ConnectionsPerIP  int            // [max.connections.per.ip]: more are closed at once
	PerIPOverride     map[string]int // by address [max.connections.per.ip.overrides]
	CreationRate      int            // new connections a second [max.connection.creation.rate]: more wait
	ListenerRate      map[string]int // by listener
	CreationRatePerIP int            // [connection_creation_rate of the default ip entity]: more are closed
	CreationRateByIP  map[string]int // by address
}

func (c Config) withDefaults() Config {
	or := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	if c.RequestBytesMax == 0 {
		c.RequestBytesMax = 100 << 20
	}
	if c.SASLBytesMax == 0 {
		c.SASLBytesMax = 512 << 10
	}
	or(&c.FrameBytesMax, 512<<20)
	c.FrameBytesMax = max(c.FrameBytesMax, 2*int64(c.RequestBytesMax))
	or(&c.IdleMillis, 10*60*1000)
	or(&c.FailedAuthDelayMillis, 100)
	or(&c.DrainMillis, 5000)
	or(&c.ReloadMillis, 10_000)
	if c.Listen == nil {
		c.Listen = net.Listen
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}

// Validate reports everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.APIs == nil {
		bad("no table of APIs")
	}
	if len(c.Listeners) == 0 {
		bad("no listener")
	}
	names, addresses := map[string]bool{}, map[string]string{}
	for _, l := range c.Listeners {
		if names[l.Name] {
			bad("listener %s is there twice", l.Name)
		}
		names[l.Name] = true
		if other, ok := addresses[l.Address]; ok && !anyPort(l.Address) {
			bad("listeners %s and %s have the same address %s", other, l.Name, l.Address)
		}
		addresses[l.Address] = l.Name
		switch {
		case !l.Protocol.known():
			bad("listener %s: security protocol %q is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", l.Name, l.Protocol)
		case l.Protocol.TLS() && l.TLS == nil:
			bad("listener %s: %s needs a key and certificate", l.Name, l.Protocol)
		case l.Protocol.SASL() && len(l.Mechanisms) == 0:
			bad("listener %s: %s needs a SASL mechanism", l.Name, l.Protocol)
		}
	}
	if c.RequestBytesMax < 0 || c.SASLBytesMax < 0 || c.FrameBytesMax < 0 {
		bad("a negative size")
	}
	return errors.Join(errs...)
}

func anyPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && port == "0"
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
