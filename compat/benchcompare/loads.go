package main

import "strings"

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
	must  bound
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

func cpu(must bound) figure {
	return figure{"server CPU per op", "µs", func(r *report) float64 { return r.Server.CPUPerOp }, must}
}

func throughput(must bound) figure {
	return figure{"throughput", "/s", func(r *report) float64 { return r.OpsPerSecond }, must}
}

func p50(must bound) figure {
	return figure{"p50", "µs", func(r *report) float64 { return r.Latency.P50 }, must}
}

func p99() figure {
	return figure{"p99", "µs", func(r *report) float64 { return r.Latency.P99 }, bound{}}
}

// bound is what a ratio of Holt's figure to ZooKeeper's must not exceed, or must reach; or what
// Holt's own figure must not exceed. The zero bound asks for nothing.
type bound struct {
	limit   float64
	reach   bool
	own     bool
	written string
}

func atMost(ratio float64, written string) bound {
	return bound{limit: ratio, written: "≤ " + written}
}
func atLeast(ratio float64, written string) bound {
	return bound{limit: ratio, reach: true, written: "≥ " + written}
}
func atMostOwn(v float64, written string) bound {
	return bound{limit: v, own: true, written: "≤ " + written}
}

// met judges the two figures.
func (b bound) met(holt, zookeeper float64) bool {
	v := holt
	if !b.own {
		v = ratio(holt, zookeeper)
	}
	switch {
	case b.written == "":
		return true
	case b.reach:
		return v >= b.limit
	}
	return v <= b.limit
}

func ratio(holt, zookeeper float64) float64 {
	if zookeeper == 0 {
		return 0
	}
	return holt / zookeeper
}

// pressed returns the generator's arguments for so many connections and requests outstanding.
func pressed(connections, outstanding string, load ...string) []string {
	return append(load, "--connections", connections, "--outstanding", outstanding, "--size", "100")
}

// loads are the rows of the table that the generator alone measures. Figures without a bound
// are printed to look further than the table asks.
func loads() []load {
	return []load{
		{"get", "one server, get, 20 × 10", 1, pressed("20", "10", "get"),
			[]figure{cpu(atMost(1./3, "1/3")), throughput(bound{})}},
		{"get100", "one server, get, 100 × 1", 1, pressed("100", "1", "get"),
			[]figure{cpu(atMost(2./3, "2/3")), throughput(bound{})}},
		{"set", "one server, set, 20 × 10", 1, pressed("20", "10", "set"),
			[]figure{cpu(atMost(1./2, "1/2")), throughput(bound{})}},
		{"set3", "three members, set, 20 × 10", 3, pressed("20", "10", "set"),
			[]figure{throughput(atLeast(3, "3")), cpu(atMost(1./3, "1/3"))}},
		{"set3lone", "three members, set, 1 × 1", 3, pressed("1", "1", "set"),
			[]figure{p50(atMost(1, "1")), p99()}},
		{"mixed3", "three members, mixed 70/30, 20 × 10", 3, pressed("20", "10", "mixed", "--mix", "get=70,set=30"),
			[]figure{throughput(atLeast(3, "3")), cpu(bound{})}},
	}
}

// selected tells whether -only, a list of names, lets a row through.
func selected(only, name string) bool {
	if only == "" {
		return true
	}
	for n := range strings.SplitSeq(only, ",") {
		if n == name {
			return true
		}
	}
	return false
}
