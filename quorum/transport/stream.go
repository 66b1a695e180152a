package transport

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

// A snapshot travels on a connection of its own:
//
//	sender                                receiver
//	  ── frame: message, id, names, sizes ──▶   what is it
//	  ◀── frame: sizes held ──────────────────   what is left of an earlier attempt
//	  ── frames: file, offset, bytes ────────▶   in order, rate-limited
//	  ── sign of life ────────────────────────▶   all sent
//	  ◀── frame: "ok" ─────────────────────────   all on disk and handed on
const chunkBytes = 256 << 10

// Snapshot is a message of Raft and the files that belong to it.
type Snapshot struct {
	Message *raftpb.Message
	// ID is drawn when the files are made: a receiver continues only with the
	// same files.
	ID [16]byte
	// Dir holds the files, no directories. They do not change while they are
	// sent.
	FS  vfs.FS
	Dir string
}

type file struct {
	name string
	size int64
}

// SendSnapshot sends a snapshot and returns when the receiver has all of it,
// durably. Limiter may be shared.
func (t *Transport) SendSnapshot(ctx context.Context, to uint64, s Snapshot, limit *Limiter) error {
	p := t.peer(to)
	if p == nil {
		return ErrDown
	}
	conn, err := p.dial(laneSnapshot)
	if err != nil {
		return fmt.Errorf("connect to member %d: %w", to, err)
	}
	defer conn.Close() // the receiver's "ok" is what counts
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer context.AfterFunc(p.ctx, func() { conn.Close() })()
	st := newStream(conn)
	files, err := listFiles(s.FS, s.Dir)
	if err != nil {
		return err
	}
	held, err := st.offer(s, files)
	if err != nil {
		return fmt.Errorf("offer snapshot to member %d: %w", to, err)
	}
	for i, f := range files {
		if err := st.sendFile(ctx, s, i, f, held[i], limit); err != nil {
			return fmt.Errorf("send %s to member %d: %w", f.name, to, err)
		}
	}
	return st.finish()
}

func listFiles(vol vfs.FS, dir string) ([]file, error) {
	names, err := vol.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list checkpoint %s: %w", dir, err)
	}
	slices.Sort(names)
	files := make([]file, len(names))
	for i, name := range names {
		info, err := vol.Stat(vol.PathJoin(dir, name))
		if err != nil {
			return nil, fmt.Errorf("stat checkpoint file: %w", err)
		}
		if info.IsDir() || !validName(name) {
			return nil, fmt.Errorf("checkpoint %s holds %q, which is not a plain file", dir, name)
		}
		files[i] = file{name, info.Size()}
	}
	return files, nil
}

// validName keeps a receiver from writing outside its directory.
func validName(name string) bool {
	if name == "" || len(name) > 200 || name == "." || name == ".." {
		return false
	}
	for _, c := range []byte(name) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
		if !ok {
			return false
		}
	}
	return true
}

// Stream is a connection that carries a snapshot.
type Stream struct {
	conn net.Conn
	r    *bufio.Reader
	buf  []byte
}

func newStream(conn net.Conn) *Stream {
	return &Stream{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
}

// streamTimeout bounds each step of a snapshot's way; the longest is the sync
// of a large file.
const streamTimeout = 30 * time.Second

func (s *Stream) read() ([]byte, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(streamTimeout)); err != nil {
		return nil, err
	}
	return readFrame(s.r)
}

func (s *Stream) send(encode func([]byte) ([]byte, error)) error {
	b, mark := beginFrame(s.buf[:0])
	b, err := encode(b)
	if err != nil {
		return err
	}
	endFrame(b, mark)
	s.buf = b
	if err := s.conn.SetWriteDeadline(time.Now().Add(streamTimeout)); err != nil {
		return err
	}
	_, err = s.conn.Write(b)
	return err
}

func (s *Stream) offer(snap Snapshot, files []file) (held []int64, err error) {
	err = s.send(func(b []byte) ([]byte, error) {
		b = append(b, snap.ID[:]...)
		b = binary.AppendUvarint(b, uint64(len(files)))
		for _, f := range files {
			b = binary.AppendUvarint(b, uint64(len(f.name)))
			b = append(b, f.name...)
			b = binary.AppendUvarint(b, uint64(f.size))
		}
		return AppendMessage(b, snap.Message)
	})
	if err != nil {
		return nil, err
	}
	body, err := s.read()
	if err != nil {
		return nil, err
	}
	r := reader{b: body}
	held = make([]int64, len(files))
	for i := range files {
		held[i] = int64(r.uvarint())
		if held[i] < 0 || held[i] > files[i].size {
			r.bad = true
		}
	}
	if r.bad || len(r.b) > 0 {
		return nil, errMalformed
	}
	return held, nil
}

func (s *Stream) sendFile(ctx context.Context, snap Snapshot, i int, f file, from int64, limit *Limiter) (err error) {
	in, err := snap.FS.Open(snap.FS.PathJoin(snap.Dir, f.name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	chunk := make([]byte, chunkBytes)
	for from < f.size {
		n := int(min(f.size-from, chunkBytes))
		if err := limit.wait(ctx, n); err != nil {
			return err
		}
		if k, err := in.ReadAt(chunk[:n], from); k < n {
			return fmt.Errorf("read at %d: %w", from, err)
		}
		err := s.send(func(b []byte) ([]byte, error) {
			b = binary.AppendUvarint(b, uint64(i))
			b = binary.AppendUvarint(b, uint64(from))
			return append(b, chunk[:n]...), nil
		})
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

func (s *Stream) finish() error {
	if err := s.send(func(b []byte) ([]byte, error) { return b, nil }); err != nil {
		return err
	}
	body, err := s.read()
	if err != nil {
		return err
	}
	if string(body) != "ok" {
		return errMalformed
	}
	return nil
}

// Limiter bounds the bytes per second of all who share it. Nil or a rate of 0
// or less means no bound.
type Limiter struct {
	rate int64
	turn chan time.Time // holds when the next one may go
}

// NewLimiter makes a limiter of so many bytes per second.
func NewLimiter(bytesPerSecond int64) *Limiter {
	l := &Limiter{rate: bytesPerSecond, turn: make(chan time.Time, 1)}
	l.turn <- time.Time{}
	return l
}

func (l *Limiter) wait(ctx context.Context, n int) error {
	if l == nil || l.rate <= 0 {
		return ctx.Err()
	}
	now := time.Now()
	at := <-l.turn
	if at.Before(now) {
		at = now
	}
	l.turn <- at.Add(time.Duration(int64(n) * int64(time.Second) / l.rate))
	sleep(ctx, time.Until(at))
	return ctx.Err()
}
