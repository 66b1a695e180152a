package metadata

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// watchedConn is a connection as the library sees it, with two differences.
//
// First, watches. After a reconnection the library asks the server (setWatches) for
// the events since the last zxid it has seen. That number moves on with every
// answer, so events are lost when a request that waited was answered before the
// library looked at the number, or when the connection goes again while the watches
// are still being sent, in packets one after another, between which other requests
// are answered. So it does not ask: no watch survives a connection, and whoever
// watches reads again, which costs one round of pipelined reads. What the library
// remembers of former watches, and would add up for ever, it is made to forget by
// events that nobody else hears of: their state is forgetting.
//
//	library ──setWatches(zxid, paths)──▶ watchedConn ──setWatches(zxid, none)──▶ server
//	library ◀──event path, event path, ..., reply── watchedConn ◀──────reply──── server
//
// Second, the handshake: the library would wait for ten times its read timeout,
// longer than the session lasts, for a server that accepts and then says nothing.
// Until the first frame was read no deadline is later than the attempt's.
//
// Reads are buffered. One goroutine may read while another writes; the library
// writes one frame with each call.
type watchedConn struct {
	net.Conn
	attempt time.Time // deadline of the handshake

	// The reader's own.

	in     *bufio.Reader
	ready  []byte // to be read before anything else
	left   int    // bytes of the current frame that are still in in
	frames int    // begun

	// The writer's own.

	written int // frames

	mu       sync.Mutex
	shaken   bool                  // the first frame was read
	awaiting map[int32]watchedList // by xid: answers before which the events come
}

// watchedList is what one setWatches asked for.
type watchedList struct{ data, exist, child []string }

const (
	opSetWatches         = 101
	eventDataChanged     = 3
	eventChildrenChanged = 4

	// forgetting is the state in the events of a watchedConn. No server sends it.
	forgetting = 1 << 20
)

func newWatchedConn(conn net.Conn, attempt time.Time) *watchedConn {
	return &watchedConn{Conn: conn, attempt: attempt, in: bufio.NewReaderSize(conn, 64<<10), awaiting: map[int32]watchedList{}}
}

// SetReadDeadline is later than asked for during the handshake only never.
func (c *watchedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	shaken := c.shaken
	c.mu.Unlock()
	if !shaken && (t.IsZero() || t.After(c.attempt)) {
		t = c.attempt
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *watchedConn) Write(frame []byte) (int, error) {
	c.written++
	if c.written == 1 { // the handshake has neither xid nor operation
		return c.Conn.Write(frame)
	}
	if len(frame) < 20 || binary.BigEndian.Uint32(frame[8:]) != opSetWatches {
		return c.Conn.Write(frame)
	}
	watches, ok := parseSetWatches(frame[20:])
	if !ok {
		return c.Conn.Write(frame)
	}
	c.mu.Lock()
	c.awaiting[int32(binary.BigEndian.Uint32(frame[4:]))] = watches
	c.mu.Unlock()
	none := make([]byte, 32)
	copy(none, frame[:20])
	binary.BigEndian.PutUint32(none, uint32(len(none)-4))
	if _, err := c.Conn.Write(none); err != nil {
		return 0, err
	}
	return len(frame), nil
}

func (c *watchedConn) Read(p []byte) (int, error) {
	if len(c.ready) == 0 && c.left == 0 {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	if len(c.ready) > 0 {
		n := copy(p, c.ready)
		c.ready = c.ready[n:]
		return n, nil
	}
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// begin reads the head of the next frame.
func (c *watchedConn) begin() error {
	head := make([]byte, 8)
	if _, err := io.ReadFull(c.in, head[:4]); err != nil {
		return err
	}
	size := int(int32(binary.BigEndian.Uint32(head)))
	c.frames++
	if c.frames == 1 || size < 4 {
		c.ready, c.left = head[:4], max(size, 0)
		c.mu.Lock()
		c.shaken = true
		c.mu.Unlock()
		return nil
	}
	if _, err := io.ReadFull(c.in, head[4:]); err != nil {
		return err
	}
	xid := int32(binary.BigEndian.Uint32(head[4:]))
	c.mu.Lock()
	watches, found := c.awaiting[xid]
	delete(c.awaiting, xid)
	c.mu.Unlock()
	if found {
		c.ready = watches.events()
	} else {
		c.ready = nil
	}
	c.ready, c.left = append(c.ready, head...), size-4
	return nil
}

// events have the library forget every watch of the list.
func (w watchedList) events() []byte {
	var b []byte
	for _, path := range w.data {
		b = appendEvent(b, eventDataChanged, path)
	}
	for _, path := range w.exist {
		b = appendEvent(b, eventDataChanged, path)
	}
	for _, path := range w.child {
		b = appendEvent(b, eventChildrenChanged, path)
	}
	return b
}

// appendEvent appends a frame: length, xid -1, zxid -1, no error, type, state, path.
func appendEvent(b []byte, kind uint32, path string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(4+8+4+4+4+4+len(path)))
	b = binary.BigEndian.AppendUint32(b, 0xffffffff)
	b = binary.BigEndian.AppendUint64(b, 0xffffffffffffffff)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, forgetting)
	b = binary.BigEndian.AppendUint32(b, uint32(len(path)))
	return append(b, path...)
}

// parseSetWatches reads the three lists of paths.
func parseSetWatches(b []byte) (w watchedList, ok bool) {
	for _, list := range []*[]string{&w.data, &w.exist, &w.child} {
		if len(b) < 4 {
			return w, false
		}
		count := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		for range max(count, 0) {
			if len(b) < 4 {
				return w, false
			}
			n := int(int32(binary.BigEndian.Uint32(b)))
			if n < 0 || len(b)-4 < n {
				return w, false
			}
			*list = append(*list, string(b[4:4+n]))
			b = b[4+n:]
		}
	}
	return w, len(b) == 0
}
