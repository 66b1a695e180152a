package zoocfg

import (
	"net"
	"strings"
)

// metricsSettings are the lines of metricsProvider that matter together.
type metricsSettings struct {
	class, port property
	host        string
}

// finishMetrics opens /metrics where ZooKeeper's Prometheus provider would.
func (r *reader) finishMetrics() {
	m := &r.metrics
	switch class := m.class.value[strings.LastIndex(m.class.value, ".")+1:]; class {
	case "PrometheusMetricsProvider":
		host, port := "0.0.0.0", "7000"
		if m.host != "" {
			host = m.host
		}
		if m.port.value != "" {
			port = m.port.value
		}
		r.cfg.MetricsAddr = net.JoinHostPort(host, port)
	case "", "DefaultMetricsProvider", "NullMetricsProvider":
		if m.port.value != "" {
			r.note(m.port, "without effect until metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider")
		}
	default:
		r.fail(m.class, "metricsProvider.className="+shorten(m.class.value)+": a Java class, which Holt cannot load",
			"take org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider, or remove the line")
	}
}
