package audit

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/wire/metric"
)

// queueMax bounds the events that wait to be written, and lineMax one of them: a path or a
// list may be as long as a request.
const (
	queueMax = 8192
	lineMax  = 16 << 10
)

// Sink takes lines, from one goroutine.
type Sink interface {
	// Write writes whole lines; they are good during the call.
	Write(lines []byte) error
	// Close ends it.
	Close() error
}

// Config says where events go.
type Config struct {
	// Sink takes the lines; Close closes it. Required.
	Sink Sink
	// Logger takes failures to write; default: none are written.
	Logger *zap.Logger
	// Clock is time.Now unless set.
	Clock func() time.Time
}

// Metrics counts since New. Fields may be read at any time.
type Metrics struct {
	// Events written, Dropped because the queue was full, Failed to be written.
	Events, Dropped, Failed metric.Counter
}

// Log is an audit log. Its methods may be called from any goroutine; a nil *Log
// records nothing.
type Log struct {
	cfg     Config
	queue   chan []byte
	metrics Metrics
	lost    atomic.Int64 // dropped and not told of yet

	mu     sync.RWMutex // held for reading while an event is put into queue
	closed bool
	done   chan struct{} // closed when the goroutine has ended
	end    error         // of the sink; read after done
}

// New starts a log.
func New(cfg Config) *Log {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	l := &Log{cfg: cfg, queue: make(chan []byte, queueMax), done: make(chan struct{})}
	go l.run()
	return l
}

// Record has an event written. It never waits, and does nothing after Close.
func (l *Log) Record(e Event) {
	if l == nil {
		return
	}
	line := e.AppendTo(nil, l.cfg.Clock())
	if len(line) > lineMax {
		line = append(line[:lineMax:lineMax], "...\n"...)
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return
	}
	select {
	case l.queue <- line:
	default:
		l.metrics.Dropped.Inc()
		l.lost.Add(1)
	}
}

// Metrics returns the counters.
func (l *Log) Metrics() *Metrics { return &l.metrics }

// Close writes what is queued, closes the sink and returns its error. It may be called
// twice.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
	return l.end
}

// batchMax is the number of lines written together.
const batchMax = 256

// run writes, all that waits with one call.
func (l *Log) run() {
	defer close(l.done)
	var failing bool
	var batch []byte
	for line := range l.queue {
		n := 1
		batch = append(batch[:0], line...)
	more:
		for n < batchMax {
			select {
			case line, ok := <-l.queue:
				if !ok {
					break more
				}
				batch = append(batch, line...)
				n++
			default:
				break more
			}
		}
		batch = l.tellLost(batch)
		err := l.cfg.Sink.Write(batch)
		if err == nil {
			failing = false
			l.metrics.Events.Add(int64(n))
			continue
		}
		l.metrics.Failed.Add(int64(n))
		if !failing {
			failing = true // once, until it works again
			l.cfg.Logger.Error("audit log cannot be written, events are lost", zap.Error(err))
		}
	}
	if err := l.cfg.Sink.Close(); err != nil {
		l.end = errors.Join(l.end, fmt.Errorf("close audit log: %w", err))
	}
}

// tellLost appends a line about events that found the queue full.
func (l *Log) tellLost(batch []byte) []byte {
	n := l.lost.Swap(0)
	if n == 0 {
		return batch
	}
	batch = l.cfg.Clock().AppendFormat(batch, "2006-01-02 15:04:05,000")
	return fmt.Appendf(batch, " ERROR o.a.z.a.Slf4jAuditLogger: lost=%d\tresult=failure\n", n)
}
