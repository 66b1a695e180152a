package admin

import (
	"fmt"
	"math"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"
)

// metricsPage writes /metrics. The format is text made of lines, and writing it
// from the counters as they are costs less memory than a registry that copies
// each of them first.
type metricsPage struct {
	src     Source
	bare    bool // without what runtime shows
	process processFiles

	mu   sync.Mutex // one page at a time; guards what follows
	page []byte     // kept between scrapes
	last string     // name of the metric whose head was written last
}

func (p *metricsPage) serve(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(p.page) // a scraper that is gone needs no answer
}

func (p *metricsPage) write() {
	p.page, p.last = p.page[:0], ""
	st := p.src.Status()
	p.page = fmt.Appendf(p.page, "# HELP holt_info What is running; the value is always 1.\n# TYPE holt_info gauge\n"+
		"holt_info{version=%s,mode=%s} 1\n", quoted(Version()), quoted(string(st.Mode)))
	serving := 0.0
	if st.Serving {
		serving = 1
	}
	p.metric(&Metric{Name: "holt_serving", Help: "1 while clients are served.", Kind: Gauge, Value: serving})
	visitStatus(&st, &p.process, p.metric)
	p.src.Metrics(p.metric)
	if !p.bare {
		p.runtime(st.Started)
	}
}

// runtime shows the process under the names every Prometheus client uses.
func (p *metricsPage) runtime(started time.Time) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	open, most := p.process.count()
	virtual, resident := memoryBytes()
	for _, m := range []Metric{
		{Name: "go_goroutines", Help: "Goroutines.", Kind: Gauge, Value: float64(runtime.NumGoroutine())},
		{Name: "go_memstats_sys_bytes", Help: "Memory taken from the system.", Kind: Gauge, Value: float64(samples[0].Value.Uint64())},
		{Name: "go_memstats_heap_alloc_bytes", Help: "Memory of live and not yet collected objects.", Kind: Gauge, Value: float64(samples[1].Value.Uint64())},
		{Name: "go_gc_cycles_total", Help: "Garbage collections.", Kind: Counter, Value: float64(samples[2].Value.Uint64())},
		{Name: "process_cpu_seconds_total", Help: "CPU time used.", Kind: Counter, Value: cpuSeconds()},
		{Name: "process_start_time_seconds", Help: "When it began, in seconds since 1970.", Kind: Gauge, Value: float64(started.UnixMilli()) / 1000},
		{Name: "process_open_fds", Help: "Open file descriptors.", Kind: Gauge, Value: float64(open)},
		{Name: "process_max_fds", Help: "The most there may be.", Kind: Gauge, Value: float64(most)},
		{Name: "process_virtual_memory_bytes", Help: "Address space taken.", Kind: Gauge, Value: float64(virtual)},
		{Name: "process_resident_memory_bytes", Help: "Memory in use.", Kind: Gauge, Value: float64(resident)},
	} {
		if m.Value >= 0 { // else the system does not tell
			p.metric(&m)
		}
	}
}

func (p *metricsPage) metric(m *Metric) {
	if m.Name != p.last {
		p.last = m.Name
		help := m.Help
		if help == "" {
			help = strings.ReplaceAll(m.Name, "_", " ") + "." // ZooKeeper's are no better
		}
		p.page = fmt.Appendf(p.page, "# HELP %s %s\n# TYPE %s %s\n", m.Name, escapeHelp(help), m.Name, m.Kind.prometheus())
	}
	switch m.Kind {
	case Counter, Gauge, AverageGauge:
		p.line(m, "", "", m.Value)
	case BasicSummary:
		p.summary(m, 0.5)
	case AdvancedSummary:
		p.summary(m, 0.5, 0.9, 0.95, 0.99, 0.999)
	case Histogram:
		p.histogram(m)
	}
}

func (k Kind) prometheus() string {
	switch k {
	case Counter:
		return "counter"
	case BasicSummary, AdvancedSummary:
		return "summary"
	case Histogram:
		return "histogram"
	}
	return "gauge"
}

func (p *metricsPage) summary(m *Metric, quantiles ...float64) {
	s := m.summary()
	for _, q := range quantiles {
		v := math.NaN()
		if s.count > 0 {
			v = s.quantile(q)
		}
		p.line(m, "", "quantile=\""+strconv.FormatFloat(q, 'f', -1, 64)+"\"", v)
	}
	p.line(m, "_sum", "", s.sum)
	p.line(m, "_count", "", s.count)
}

// histogram writes buckets from 10 µs to 10 s. Our histograms are finer; that
// many time series per operation nobody wants to store.
func (p *metricsPage) histogram(m *Metric) {
	s := m.summary()
	bounds := []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	counts := make([]int64, len(bounds))
	if s.count > 0 {
		s.values.Cumulative(func(upper, count int64) {
			for i := len(bounds) - 1; i >= 0 && float64(upper)*s.scale <= bounds[i]; i-- {
				counts[i] = count
			}
		})
	}
	for i, bound := range bounds {
		p.line(m, "_bucket", "le=\""+strconv.FormatFloat(bound, 'g', -1, 64)+"\"", float64(counts[i]))
	}
	p.line(m, "_bucket", `le="+Inf"`, s.count)
	p.line(m, "_sum", "", s.sum)
	p.line(m, "_count", "", s.count)
}

// line writes one sample. extra is a label that is written already.
func (p *metricsPage) line(m *Metric, suffix, extra string, v float64) {
	p.page = append(append(p.page, m.Name...), suffix...)
	if m.Label != "" || extra != "" {
		p.page = append(p.page, '{')
		if m.Label != "" {
			p.page = append(append(append(p.page, m.Label...), '='), quoted(m.LabelValue)...)
			if extra != "" {
				p.page = append(p.page, ',')
			}
		}
		p.page = append(append(p.page, extra...), '}')
	}
	p.page = append(p.page, ' ')
	switch {
	case math.IsNaN(v):
		p.page = append(p.page, "NaN"...)
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		p.page = strconv.AppendInt(p.page, int64(v), 10)
	default:
		p.page = strconv.AppendFloat(p.page, v, 'g', -1, 64)
	}
	p.page = append(p.page, '\n')
}

// quoted writes a label value: only \, " and line ends are escaped.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func escapeHelp(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s)
}
