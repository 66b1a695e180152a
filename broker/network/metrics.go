package network

import (
	"time"

	"holt/broker/protocol"
	"holt/wire/metric"
)

// Metrics are those of one Server.
type Metrics struct {
	Connections        metric.Gauge
	Accepted           metric.Counter
	ConnectionsRefused metric.Counter // over a limit by address
	IdleClosed         metric.Counter
	Authenticated      metric.Counter
	AuthFailed         metric.Counter // SASL and TLS
	BytesIn, BytesOut  metric.Counter
	Pending            metric.Gauge // requests that wait for an answer

	// By Key: how many, and from arrival to the answer in microseconds.
	Requests [protocol.KeyMax + 1]metric.Counter
	Micros   [protocol.KeyMax + 1]metric.Histogram
}

func (m *Metrics) arrived(r *Request) {
	m.Pending.Add(1)
	if r.Key >= 0 && r.Key <= protocol.KeyMax {
		m.Requests[r.Key].Inc()
	}
}

func (m *Metrics) answered(r *Request) {
	m.Pending.Add(-1)
	if r.Key >= 0 && r.Key <= protocol.KeyMax {
		m.Micros[r.Key].Observe(time.Since(r.Received).Microseconds())
	}
}
