package apply

import "holt/wire/metric"

// Metrics counts since Open. Fields may be read at any time.
type Metrics struct {
	Entries  metric.Counter // applied, empty ones too
	Commands metric.Counter // carried out, whatever came of them
	Rejected metric.Counter // of these, with an outcome other than OK
	// MultisFailed counts multis that did nothing, whose outcome is OK.
	MultisFailed metric.Counter
	Ignored      metric.Counter // sent again, or out of order
}

// Metrics returns the counters.
func (m *Machine) Metrics() *Metrics { return &m.metrics }

// tally collects for Metrics during an entry.
type tally struct{ entries, commands, rejected, multisFailed, ignored int64 }

func (m *Metrics) count(x *execution) {
	m.Entries.Add(x.tally.entries)
	m.Commands.Add(x.tally.commands)
	m.Rejected.Add(x.tally.rejected)
	m.MultisFailed.Add(x.tally.multisFailed)
	m.Ignored.Add(x.tally.ignored)
}
