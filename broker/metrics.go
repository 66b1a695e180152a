package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"time"

	"holt/broker/protocol"
)

// metricsServer serves /metrics to Prometheus.
type metricsServer struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{} // closed when the server has ended
}

func (b *Broker) startMetrics(context.Context) error {
	if b.cfg.MetricsAddr == "" {
		return nil
	}
	listen := b.cfg.Listen
	if listen == nil {
		listen = net.Listen
	}
	l, err := listen("tcp", b.cfg.MetricsAddr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var p metricsPage
		b.writeMetrics(&p)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(p.text) // a scraper that is gone needs no answer
	})
	m := &metricsServer{listener: l, done: make(chan struct{}),
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}}
	go func() {
		defer close(m.done)
		if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			b.log.Error("metrics are not served any more", errField(err))
		}
	}()
	b.metrics = m
	return nil
}

// MetricsAddr is where metrics are served, nil if they are not.
func (b *Broker) MetricsAddr() net.Addr {
	if b.metrics == nil {
		return nil
	}
	return b.metrics.listener.Addr()
}

func (m *metricsServer) close() error {
	err := m.server.Close()
	<-m.done
	if err != nil {
		return fmt.Errorf("close metrics: %w", err)
	}
	return nil
}

// writeMetrics writes what there is to know. Names of clusters' topics and groups are
// those of kafka_exporter, so that dashboards for it work.
func (b *Broker) writeMetrics(p *metricsPage) {
	image := b.applied.get()
	p.gauge("holt_broker_info", "What is running; the value is always 1.", 1, "broker", fmt.Sprint(b.id), "cluster", b.clusterID)
	p.gauge("kafka_brokers", "Live brokers.", float64(len(image.BrokerIDs())))
	p.gauge("holt_broker_controller", "1 on the controller.", truth(b.controller.Active()))
	p.gauge("holt_broker_topics", "Topics of the cluster.", float64(image.TopicCount()))
	p.gauge("holt_broker_partitions", "Partitions of the cluster.", float64(image.PartitionCount()))
	b.writeNetwork(p)
	b.writeReplicas(p)
	b.writeCoordinators(p)
	writeRuntime(p)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (b *Broker) writeNetwork(p *metricsPage) {
	m := b.net.Metrics()
	p.gauge("holt_broker_connections", "Connections of clients.", float64(m.Connections.Load()))
	p.counter("holt_broker_connections_accepted_total", "Connections accepted.", m.Accepted.Load())
	p.counter("holt_broker_connections_refused_total", "Connections over a limit by address.", m.ConnectionsRefused.Load())
	p.counter("holt_broker_authentications_total", "Clients authenticated by SASL.", m.Authenticated.Load())
	p.counter("holt_broker_authentications_failed_total", "Clients that were not.", m.AuthFailed.Load())
	p.counter("holt_broker_bytes_in_total", "Bytes of requests.", m.BytesIn.Load())
	p.counter("holt_broker_bytes_out_total", "Bytes of responses.", m.BytesOut.Load())
	p.gauge("holt_broker_requests_pending", "Requests that wait for an answer.", float64(m.Pending.Load()))
	for key := range protocol.KeyMax + 1 {
		if n := m.Requests[key].Load(); n > 0 {
			p.counter("holt_broker_requests_total", "Requests, by API.", n, "api", key.String())
		}
	}
	for key := range protocol.KeyMax + 1 {
		if m.Requests[key].Load() > 0 {
			p.histogram("holt_broker_request_seconds", "From a request's arrival to its answer, by API.", m.Micros[key].Snapshot(), 1e-6, "api", key.String())
		}
	}
}

func (b *Broker) writeCoordinators(p *metricsPage) {
	groups := b.groups.Counts()
	for state, n := range groups.Groups {
		p.gauge("holt_broker_groups", "Consumer groups coordinated here, by state.", float64(n), "state", state.String())
	}
	p.gauge("holt_broker_group_members", "Members of groups coordinated here.", float64(groups.Members))
	p.gauge("holt_broker_group_offsets", "Offsets committed in groups coordinated here.", float64(groups.Offsets))
	for state, n := range b.txns.Counts() {
		p.gauge("holt_broker_transactions", "Transactional ids coordinated here, by state.", float64(n), "state", state.String())
	}
}

// writeRuntime shows the Go process under the names that every Prometheus client uses.
func writeRuntime(p *metricsPage) {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples)
	p.gauge("go_goroutines", "Goroutines.", float64(runtime.NumGoroutine()))
	p.gauge("go_memstats_sys_bytes", "Memory taken from the system.", float64(samples[0].Value.Uint64()))
	p.gauge("go_memstats_heap_alloc_bytes", "Memory of live and not yet collected objects.", float64(samples[1].Value.Uint64()))
	p.counter("go_gc_cycles_total", "Garbage collections.", int64(samples[2].Value.Uint64()))
}
