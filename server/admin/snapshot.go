package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"holt/wire"
	"holt/wire/metric"
)

// Snapshot is the state of the member at one time, in the form of ZooKeeper's snapshot
// files. It is for one goroutine.
type Snapshot interface {
	// Zxid is the last that is in it.
	Zxid() wire.Zxid
	// WriteTo writes it; it may be called more than once and writes the same.
	WriteTo(w io.Writer) (int64, error)
	// Save puts it into a file of the member's data directory, which stays. size is
	// what WriteTo returned.
	Save(size int64) error
	// Close lets the state go.
	Close() error
}

// SnapshotConfig says how the commands snapshot and restore behave.
type SnapshotConfig struct {
	// Take returns a snapshot of now, which r asks for; nil: the command is disabled
	// [admin.snapshot.enabled=false].
	Take func(r *http.Request) (Snapshot, error)
	// Restore puts the snapshot that it reads, the body of r, in the place of the ensemble's state, and returns the
	// zxid of that. An error of it is told to the client. nil: the command is disabled [admin.restore.enabled=false].
	Restore func(r *http.Request, snapshot io.Reader) (wire.Zxid, error)
	// Interval is the time between the starts of two snapshots, below which one is
	// refused, and the same for restores; 0: there is no bound [admin.rateLimiterIntervalInMS].
	Interval time.Duration
}

// SnapshotMetrics counts since NewCommands. Fields may be read at any time.
type SnapshotMetrics struct {
	// Errors while one was taken, Limited by the interval.
	Errors, Limited metric.Counter
	// Nanos from the request to the last byte.
	Nanos metric.Histogram
}

// Snapshots returns the counters of the command snapshot.
func (c *Commands) Snapshots() *SnapshotMetrics { return &c.snapshots }

// RestoreMetrics counts since NewCommands. Fields may be read at any time.
type RestoreMetrics struct {
	// Errors of restores, Limited by the interval.
	Errors, Limited metric.Counter
	// Nanos of those that went well, from the request to the new state.
	Nanos metric.Histogram
}

// Restores returns the counters of the command restore.
func (c *Commands) Restores() *RestoreMetrics { return &c.restores }

// limiter lets something begin at most once in an interval.
type limiter struct {
	interval time.Duration

	mu   sync.Mutex
	last time.Time
}

func (l *limiter) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < l.interval {
		return false
	}
	l.last = now
	return true
}

// snapshot streams the member's state, or saves it with streaming=false.
// ZooKeeper: Commands.SnapshotCommand
//
// Differs from ZooKeeper, where a unit bug makes the interval a thousandth of what is
// set; and a refusal has a text.
func (c *Commands) snapshot(w http.ResponseWriter, r *http.Request, q *question) {
	const name = "snapshot"
	if c.snapshotConfig.Take == nil {
		send(w, http.StatusServiceUnavailable, failure(name, "The command is disabled by admin.snapshot.enabled=false"))
		return
	}
	began := time.Now()
	if !c.limit.allow(began) {
		c.snapshots.Limited.Inc()
		send(w, http.StatusTooManyRequests, failure(name, fmt.Sprintf("Only one snapshot in %v is taken (admin.rateLimiterIntervalInMS)", c.limit.interval)))
		return
	}
	defer func() { c.snapshots.Nanos.Observe(int64(time.Since(began))) }()
	s, err := c.snapshotConfig.Take(r)
	if err != nil {
		c.snapshotFails(w, err)
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			c.snapshots.Errors.Inc()
		}
	}()
	// Anything but true means no stream, as Java reads a boolean.
	if streaming := q.args.Get("streaming"); streaming != "" && !strings.EqualFold(streaming, "true") {
		c.saveSnapshot(w, s)
		return
	}
	c.streamSnapshot(w, s)
}

func (c *Commands) snapshotFails(w http.ResponseWriter, err error) {
	c.snapshots.Errors.Inc()
	send(w, http.StatusInternalServerError, failure("snapshot", err.Error()))
}

func (c *Commands) saveSnapshot(w http.ResponseWriter, s Snapshot) {
	patient(w)
	size, err := s.WriteTo(io.Discard)
	if err == nil {
		err = s.Save(size)
	}
	if err != nil {
		c.snapshotFails(w, err)
		return
	}
	setSnapshotHeaders(w, s, size)
	send(w, http.StatusOK, object{}.with("command", "snapshot").with("error", nil))
}

// streamSnapshot writes the state twice: its size comes before it.
func (c *Commands) streamSnapshot(w http.ResponseWriter, s Snapshot) {
	patient(w)
	size, err := s.WriteTo(io.Discard)
	if err != nil {
		c.snapshotFails(w, err)
		return
	}
	setSnapshotHeaders(w, s, size)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(http.StatusOK)
	n, err := s.WriteTo(&patientWriter{w: w, control: http.NewResponseController(w)})
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes of %d", n, size)
	}
	if err != nil {
		c.snapshots.Errors.Inc()
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	}
}

// setSnapshotHeaders writes names as the original does: Go would begin them with capitals.
func setSnapshotHeaders(w http.ResponseWriter, s Snapshot, size int64) {
	w.Header()["last_zxid"] = []string{"0x" + strconv.FormatUint(uint64(s.Zxid()), 16)}
	w.Header()["snapshot_size"] = []string{strconv.FormatInt(size, 10)}
}

// patient takes the bounds of a short answer off a response that takes as long as the data
// is large.
func patient(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})  // it has none if it is not a socket's,
	_ = control.SetWriteDeadline(time.Time{}) // as in a test
}

// patientWriter gives each write its own time: a client that reads nothing for that long is
// given up.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (p *patientWriter) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}

// restore has the ensemble take a snapshot for its state.
// ZooKeeper: Commands.RestoreCommand
//
// Differs from ZooKeeper, which puts the snapshot into the memory of the one server that is asked; there last_zxid
// is the snapshot's, here that of the restore. A refusal has a text. As there, one for its credentials does not use up
// the interval, and one for what was sent does.
func (c *Commands) restore(w http.ResponseWriter, r *http.Request, _ *question) {
	const name = "restore"
	if c.snapshotConfig.Restore == nil {
		send(w, http.StatusServiceUnavailable, failure(name, "The command is disabled by admin.restore.enabled=false"))
		return
	}
	began := time.Now()
	if !c.restoreLimit.allow(began) {
		c.restores.Limited.Inc()
		send(w, http.StatusTooManyRequests, failure(name, fmt.Sprintf("Only one restore in %v is made (admin.rateLimiterIntervalInMS)", c.restoreLimit.interval)))
		return
	}
	patient(w)
	zxid, err := c.snapshotConfig.Restore(r, &patientReader{r: r.Body, control: http.NewResponseController(w)})
	if err != nil {
		c.restores.Errors.Inc()
		send(w, http.StatusInternalServerError, failure(name, err.Error()))
		return
	}
	c.restores.Nanos.Observe(int64(time.Since(began)))
	send(w, http.StatusOK, object{}.with("last_zxid", int64(zxid)).with("command", name).with("error", nil))
}

// patientReader gives each read its own time: a client that sends nothing for that long is
// given up.
type patientReader struct {
	r       io.Reader
	control *http.ResponseController
}

func (p *patientReader) Read(b []byte) (int, error) {
	if err := p.control.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := p.r.Read(b)
	if err != nil { // what follows takes as long as it takes
		_ = p.control.SetReadDeadline(time.Time{}) // it has none if it is not a socket's
	}
	return n, err
}
