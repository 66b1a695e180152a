package main

import "holt/compat/ratio"

// load is a row of the table that one run of the generator measures, or several rows of it.
type load struct {
	name    string // as in -only
	title   string
	members int
	args    []string // of holt bench
	figures []figure
}

// figure is one number of a report and what it must be, as a ratio of Holt's to ZooKeeper's.
type figure struct {
	name  string
	unit  string
	value func(*report) float64
	must  ratio.Bound
}

// report is the part of `holt bench -o json` that is used here.
type report struct {
	Ops          int64   `json:"ops"`
	OpsPerSecond float64 `json:"ops_per_second"`
	Latency      struct {
		P50 float64 `json:"p50_micros"`
		P99 float64 `json:"p99_micros"`
	} `json:"latency"`
	Errors         map[string]int64 `json:"errors"`
	LanesLost      []string         `json:"lanes_lost"`
	ClientCPUPerOp float64          `json:"client_cpu_per_op_micros"`
	Server         struct {
		CPUPerOp     float64 `json:"cpu_per_op_micros"`
		RSSBytes     int64   `json:"rss_bytes"`
		RSSPeakBytes int64   `json:"rss_peak_bytes"`
	} `json:"server"`
}

func cpu(must ratio.Bound) figure {
	return figure{"server CPU per op", "µs", func(r *report) float64 { return r.Server.CPUPerOp }, must}
}

func throughput(must ratio.Bound) figure {
	return figure{"throughput", "/s", func(r *report) float64 { return r.OpsPerSecond }, must}
}

func p50(must ratio.Bound) figure {
	return figure{"p50", "µs", func(r *report) float64 { return r.Latency.P50 }, must}
}

func p99() figure {
	return figure{"p99", "µs", func(r *report) float64 { return r.Latency.P99 }, ratio.Bound{}}
}

// pressed returns the generator's arguments for so many connections and requests outstanding.
func pressed(connections, outstanding string, load ...string) []string {
	return append(load, "--connections", connections, "--outstanding", outstanding, "--size", "100")
}

// loads are the rows of the table that the generator alone measures. Figures without a ratio.Bound
// are printed to look further than the table asks.
func loads() []load {
	return []load{
		{"get", "one server, get, 20 × 10", 1, pressed("20", "10", "get"),
			[]figure{cpu(ratio.AtMost(1./3, "1/3")), throughput(ratio.Bound{})}},
		{"get100", "one server, get, 100 × 1", 1, pressed("100", "1", "get"),
			[]figure{cpu(ratio.AtMost(2./3, "2/3")), throughput(ratio.Bound{})}},
		{"set", "one server, set, 20 × 10", 1, pressed("20", "10", "set"),
			[]figure{cpu(ratio.AtMost(1./2, "1/2")), throughput(ratio.Bound{})}},
		{"set3", "three members, set, 20 × 10", 3, pressed("20", "10", "set"),
			[]figure{throughput(ratio.AtLeast(3, "3")), cpu(ratio.AtMost(1./3, "1/3"))}},
		{"set3lone", "three members, set, 1 × 1", 3, pressed("1", "1", "set"),
			[]figure{p50(ratio.AtMost(1, "1")), p99()}},
		{"mixed3", "three members, mixed 70/30, 20 × 10", 3, pressed("20", "10", "mixed", "--mix", "get=70,set=30"),
			[]figure{throughput(ratio.AtLeast(3, "3")), cpu(ratio.Bound{})}},
	}
}
