package admin

import (
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads /metrics as Prometheus does.
func scrape(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}

func TestMetricsPage(t *testing.T) {
	page := &metricsPage{src: leadingSource()}
	page.write()
	families := scrape(t, string(page.page))
	value := func(name string) float64 {
		f := families[name]
		if f == nil {
			t.Fatalf("no %s in\n%s", name, page.page)
		}
		if m := f.Metric[0]; m.Counter != nil {
			return m.Counter.GetValue()
		} else if m.Gauge != nil {
			return m.Gauge.GetValue()
		} else if m.Summary != nil {
			return m.Summary.GetSampleSum()
		}
		return f.Metric[0].Histogram.GetSampleSum()
	}
	for name, want := range map[string]float64{
		"znode_count": 7, "avg_latency": 3.1, "commit_count": 12345678, "synced_followers": 1, "holt_serving": 1,
		"fsynctime": 37.3, "updatelatency": 37.3, "readlatency": 0, "ack_latency": 3, "holt_request_seconds": 0.0373,
	} {
		if got := value(name); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if info := families["holt_info"].Metric[0].Label; len(info) != 2 || info[1].GetValue() != "leader" {
		t.Errorf("holt_info: %v", info)
	}
	if got := families["ack_latency"].Metric; len(got) != 2 || got[1].Label[0].GetName() != "key" || got[1].Label[0].GetValue() != "3" {
		t.Errorf("ack_latency: %v", got)
	}
	if q := families["readlatency"].Metric[0].Summary.Quantile; len(q) != 5 || !math.IsNaN(q[0].GetValue()) {
		t.Errorf("quantiles without samples: %v", q)
	}
	if got := families["holt_request_seconds"].Metric[1].Label[0].GetValue(); got != "a\"b\\c\nd" {
		t.Errorf("label %q", got)
	}
	for _, name := range []string{"process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds"} {
		if v := value(name); v <= 0 {
			t.Errorf("%s is %v", name, v)
		}
	}
	bare := &metricsPage{src: leadingSource(), bare: true}
	bare.write()
	if text := string(bare.page); strings.Contains(text, "process_") || strings.Contains(text, "go_") {
		t.Errorf("what is about the process is there in\n%s", text)
	}
}

func TestHistogramBuckets(t *testing.T) {
	page := &metricsPage{src: leadingSource()}
	page.write()
	h := scrape(t, string(page.page))["holt_request_seconds"].Metric[0].Histogram
	if h.GetSampleCount() != 4 {
		t.Errorf("%d samples, want 4", h.GetSampleCount())
	}
	for _, b := range h.Bucket {
		var want uint64
		for _, seconds := range []float64{0.0008, 0.002, 0.0045, 0.03} {
			if seconds <= b.GetUpperBound()+1e-12 {
				want++
			}
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("%d samples up to %v s, want %d", b.GetCumulativeCount(), b.GetUpperBound(), want)
		}
	}
}

func TestHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	src := leadingSource()
	h := ServeHTTP(l, HTTPConfig{Source: src, Metrics: true})
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, string) {
		res, err := client.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	for _, tc := range []struct {
		path string
		code int
		text string
	}{
		{"/metrics", 200, "\nznode_count 7\n"},
		{"/livez", 200, "alive\n"},
		{"/readyz", 200, "ready: leader\n"},
		{"/", 404, ""},
	} {
		if code, body := get(tc.path); code != tc.code || !strings.Contains(body, tc.text) {
			t.Errorf("%s: %d %q, want %d %q", tc.path, code, body, tc.code, tc.text)
		}
	}
	src.status.Serving = false
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, "not ready") {
		t.Errorf("/readyz of a server that does not serve: %d %q", code, body)
	}
	for range 2 {
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func BenchmarkMetricsPage(b *testing.B) {
	page := &metricsPage{src: leadingSource()}
	for b.Loop() {
		page.write()
	}
	b.SetBytes(int64(len(page.page)))
}
