package partition

import "context"

// Compact compacts what may be compacted.
func (l *Log) Compact(now int64) error { return l.compact(context.Background(), now) }

// Cleaned returns the offset before which the log is compacted.
func (l *Log) Cleaned() int64 { return l.cleaned.Load() }

// Retain drops what retention lets go of.
func (l *Log) Retain(now int64) error { return l.retain(now) }
