package watch

import "holt/wire/metric"

// Metrics counts since New. Fields may be read at any time.
type Metrics struct {
	// Set counts watches that were set, those that were there already included.
	Set metric.Counter
	// Changes that met any watch on the table, and Notified watchers.
	Changes, Notified metric.Counter
}

// Metrics returns the counters.
func (t *Table) Metrics() *Metrics { return &t.metrics }
