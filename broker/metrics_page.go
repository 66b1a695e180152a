package broker

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"holt/wire/metric"
)

// metricsPage is text in Prometheus's format. Samples of one name come one after the
// other; labels are pairs of name and value.
type metricsPage struct {
	text []byte
	last string // name of the metric whose head was written last
}

func (p *metricsPage) gauge(name, help string, v float64, labels ...string) {
	p.head(name, help, "gauge")
	p.sample(name, v, labels)
}

func (p *metricsPage) counter(name, help string, n int64, labels ...string) {
	p.head(name, help, "counter")
	p.sample(name, float64(n), labels)
}

// histogramBounds are from 100 µs to 10 s.
var histogramBounds = [...]float64{1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// histogram writes values, of which each is to be multiplied by scale.
func (p *metricsPage) histogram(name, help string, s *metric.Snapshot, scale float64, labels ...string) {
	p.head(name, help, "histogram")
	counts := [len(histogramBounds)]int64{}
	s.Cumulative(func(upper, count int64) {
		for i := len(histogramBounds) - 1; i >= 0 && float64(upper)*scale <= histogramBounds[i]; i-- {
			counts[i] = count
		}
	})
	for i, bound := range histogramBounds {
		p.sample(name+"_bucket", float64(counts[i]), append(labels[:len(labels):len(labels)], "le", strconv.FormatFloat(bound, 'g', -1, 64)))
	}
	p.sample(name+"_bucket", float64(s.Count()), append(labels[:len(labels):len(labels)], "le", "+Inf"))
	p.sample(name+"_sum", float64(s.Sum())*scale, labels)
	p.sample(name+"_count", float64(s.Count()), labels)
}

func (p *metricsPage) head(name, help, kind string) {
	if name != p.last {
		p.last = name
		p.text = fmt.Appendf(p.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
}

func (p *metricsPage) sample(name string, v float64, labels []string) {
	p.text = append(p.text, name...)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		p.text = append(append(append(append(p.text, sep), labels[i]...), '='), quoted(labels[i+1])...)
	}
	if len(labels) > 1 {
		p.text = append(p.text, '}')
	}
	p.text = append(p.text, ' ')
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		p.text = strconv.AppendInt(p.text, int64(v), 10)
	} else {
		p.text = strconv.AppendFloat(p.text, v, 'g', -1, 64)
	}
	p.text = append(p.text, '\n')
}

// quoted writes a label's value: only \, " and line ends are escaped.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
