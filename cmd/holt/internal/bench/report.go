package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is the outcome of a run, as it is printed and as -o json writes it.
type Report struct {
	Load           string             `json:"load"`
	Servers        []string           `json:"servers"`
	Connections    int                `json:"connections"`
	Outstanding    int                `json:"outstanding"`
	SizeBytes      int                `json:"size_bytes"`
	Nodes          int                `json:"nodes"`
	RateWanted     float64            `json:"rate_wanted,omitempty"` // open loop
	Seconds        float64            `json:"seconds"`
	Ops            int64              `json:"ops"` // with outcome OK
	OpsPerSecond   float64            `json:"ops_per_second"`
	Latency        Latency            `json:"latency"`
	LatencyByLoad  map[string]Latency `json:"latency_by_load,omitempty"` // of a mix
	Errors         map[string]int64   `json:"errors"`                    // by name of the code
	LanesLost      []string           `json:"lanes_lost,omitempty"`      // why lanes ended early
	ClientCPUPerOp float64            `json:"client_cpu_per_op_micros"`
	Server         *ServerUsage       `json:"server,omitempty"` // given process ids
	Kept           string             `json:"kept,omitempty"`   // parent of nodes not deleted
}

// Latency holds percentiles of the time from request to reply, in microseconds.
type Latency struct {
	P50  float64 `json:"p50_micros"`
	P99  float64 `json:"p99_micros"`
	P999 float64 `json:"p999_micros"`
	Max  float64 `json:"max_micros"`
}

// ServerUsage is what the server processes together used during the measured time.
type ServerUsage struct {
	PIDs         []int   `json:"pids"`
	CPUSeconds   float64 `json:"cpu_seconds"`
	CPUPerOp     float64 `json:"cpu_per_op_micros"`
	Cores        float64 `json:"cores"` // CPU seconds per second
	RSSBytes     int64   `json:"rss_bytes"`
	RSSPeakBytes int64   `json:"rss_peak_bytes"`
}

func (r *run) report(tallies []*tally, before, after sample) *Report {
	kinds := r.kinds()
	all, byKind := new(histogram), make([]histogram, len(kinds))
	seconds := max(after.at.Sub(before.at).Seconds(), 1e-9) // a run may end before it began
	rep := &Report{
		Load: r.cfg.Load, Servers: r.cfg.Servers, Connections: r.cfg.Connections, Outstanding: r.cfg.Outstanding,
		SizeBytes: r.cfg.Size, Nodes: r.cfg.Nodes, RateWanted: r.cfg.Rate, Seconds: seconds, Errors: make(map[string]int64),
	}
	for _, t := range tallies {
		for kind, h := range t.latency {
			byKind[kind].merge(h)
			all.merge(h)
		}
		for code, n := range t.errors {
			rep.Errors[code] += n
		}
		if t.lost != nil && !slices.Contains(rep.LanesLost, t.lost.Error()) {
			rep.LanesLost = append(rep.LanesLost, t.lost.Error())
		}
	}
	rep.Ops = all.count
	rep.OpsPerSecond = float64(rep.Ops) / seconds
	rep.Latency = all.percentiles()
	if len(kinds) > 1 {
		rep.LatencyByLoad = make(map[string]Latency)
		for kind, name := range kinds {
			rep.LatencyByLoad[name] = byKind[kind].percentiles()
		}
	}
	ops := float64(max(rep.Ops, 1))
	rep.ClientCPUPerOp = micros(after.client-before.client) / ops
	if len(r.cfg.PIDs) > 0 {
		cpu := after.server.cpu - before.server.cpu
		rep.Server = &ServerUsage{
			PIDs: r.cfg.PIDs, CPUSeconds: cpu.Seconds(), CPUPerOp: micros(cpu) / ops, Cores: cpu.Seconds() / seconds,
			RSSBytes: after.server.resident, RSSPeakBytes: after.server.peak,
		}
	}
	if r.cfg.Keep {
		rep.Kept = r.dir
	}
	return rep
}

func (h *histogram) percentiles() Latency {
	return Latency{
		P50: micros(h.quantile(0.5)), P99: micros(h.quantile(0.99)), P999: micros(h.quantile(0.999)),
		Max: micros(time.Duration(h.max)),
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// WriteText writes the report for people.
func (rep *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...) // errors surface at Flush
	}
	row("load", "%s, %d connections × %d outstanding, %d B, %s", rep.Load, rep.Connections, rep.Outstanding, rep.SizeBytes, strings.Join(rep.Servers, ","))
	row("throughput", "%.0f/s (%d in %.2f s)", rep.OpsPerSecond, rep.Ops, rep.Seconds)
	row("latency", "%s", rep.Latency)
	for _, name := range sortedKeys(rep.LatencyByLoad) {
		row("  "+name, "%s", rep.LatencyByLoad[name])
	}
	for _, code := range sortedKeys(rep.Errors) {
		row("errors", "%d %s", rep.Errors[code], code)
	}
	for _, reason := range rep.LanesLost {
		row("lost", "%s", reason)
	}
	row("client CPU", "%.2f µs/op", rep.ClientCPUPerOp)
	if s := rep.Server; s != nil {
		row("server CPU", "%.2f µs/op (%.2f cores)", s.CPUPerOp, s.Cores)
		row("server memory", "%d MiB (peak %d MiB)", s.RSSBytes>>20, s.RSSPeakBytes>>20)
	}
	if rep.Kept != "" {
		row("kept", "%s", rep.Kept)
	}
	return w.Flush()
}

// String prints the percentiles in the unit that fits.
func (l Latency) String() string {
	d := func(us float64) time.Duration {
		d := time.Duration(us * float64(time.Microsecond))
		if d > time.Millisecond {
			return d.Round(10 * time.Microsecond)
		}
		return d.Round(100 * time.Nanosecond)
	}
	return fmt.Sprintf("p50 %v, p99 %v, p99.9 %v, max %v", d(l.P50), d(l.P99), d(l.P999), d(l.Max))
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
