package watch

import (
	"holt/wire"
	"holt/wire/metric"
)

// Metrics counts since New. Fields may be read at any time.
type Metrics struct {
	// Set counts watches that were set, those that were there already included.
	Set metric.Counter
	// Changes that met any watch on the table, and Notified watchers.
	Changes, Notified metric.Counter
	// Created, Deleted, Data and Children are how many watchers each change of a node told, by the
	// event; changes that told none are not in them.
	Created, Deleted, Data, Children metric.Histogram
}

// fanOut is the distribution for a type of event.
func (m *Metrics) fanOut(event wire.EventType) *metric.Histogram {
	switch event {
	case wire.EventNodeCreated:
		return &m.Created
	case wire.EventNodeDeleted:
		return &m.Deleted
	case wire.EventNodeChildrenChanged:
		return &m.Children
	}
	return &m.Data
}

// Metrics returns the counters.
func (t *Table) Metrics() *Metrics { return &t.metrics }
