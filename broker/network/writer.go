package network

import (
	"fmt"
	"io"
	"net"
	"syscall"

	"holt/broker/protocol"
)

const (
	// readFileMax is the length up to which a range of a file is read and written
	// with what is around it, which takes fewer calls than sendfile.
	readFileMax = 64 << 10
	// writeBytes is what is written at most before progress is noted.
	writeBytes = 1 << 20
)

// writer puts chunks on a connection. One goroutine at a time uses it.
type writer struct {
	nc      net.Conn
	raw     syscall.RawConn // of plain TCP; nil: everything goes through nc.Write
	buffers *buffers
	wrote   func() // called when bytes have left

	runs  [][]byte    // bytes in memory that go next
	temps []*buffer   // what ranges of files were read into
	iov   net.Buffers // runs, which writev eats up
	bytes int         // in runs
}

// write writes all chunks, or returns the error after which the connection is of no use.
func (w *writer) write(chunks []chunk) error {
	defer w.forget()
	for i := range chunks {
		k := &chunks[i]
		switch {
		case k.File == nil:
			w.add(k.Bytes)
		case haveSendfile && w.raw != nil && k.File.Fd() != protocol.NoFd && k.Length > readFileMax:
			if err := w.sendFile(k.Range); err != nil {
				return err
			}
		default:
			if err := w.readFile(k.Range); err != nil {
				return err
			}
		}
		if w.bytes >= writeBytes {
			if err := w.flush(false); err != nil {
				return err
			}
		}
	}
	return w.flush(false)
}

func (w *writer) add(b []byte) {
	if len(b) > 0 {
		w.runs = append(w.runs, b)
		w.bytes += len(b)
	}
}

// readFile adds what a file holds.
func (w *writer) readFile(r protocol.Range) error {
	for off, left := r.Offset, r.Length; left > 0; {
		n := min(left, readFileMax)
		b := w.buffers.get(n)
		w.temps = append(w.temps, b)
		if got, err := r.File.ReadAt(b.b[:n], off); got < n {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read records at %d: %w", off, err)
		}
		w.add(b.b[:n])
		off, left = off+int64(n), left-n
		if w.bytes >= writeBytes {
			if err := w.flush(left > 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendFile flushes what goes before and has the kernel send a file's range.
func (w *writer) sendFile(r protocol.Range) error {
	if err := w.flush(true); err != nil {
		return err
	}
	for off, left := r.Offset, r.Length; left > 0; {
		n, err := sendFile(w.raw, r.File.Fd(), off, min(left, writeBytes))
		if err != nil {
			return fmt.Errorf("send records at %d: %w", off, err)
		}
		off, left = off+int64(n), left-n
		w.wrote()
	}
	return nil
}

// flush writes runs. more says that bytes follow at once, so that the system may
// keep the last packet open for them.
func (w *writer) flush(more bool) error {
	if len(w.runs) == 0 {
		return nil
	}
	err := w.writeRuns(more)
	w.forget()
	w.wrote()
	return err
}

func (w *writer) writeRuns(more bool) error {
	switch {
	case len(w.runs) == 1 && more && w.raw != nil:
		return sendMore(w.raw, w.nc, w.runs[0])
	case len(w.runs) == 1:
		_, err := w.nc.Write(w.runs[0])
		return err
	case w.raw != nil:
		w.iov = append(w.iov[:0], w.runs...)
		iov := w.iov
		_, err := iov.WriteTo(w.nc)
		clear(w.iov)
		return err
	}
	return w.gather()
}

// gather writes runs in pieces that are neither tiny nor too many: every Write of TLS
// makes a record at least.
func (w *writer) gather() error {
	b := w.buffers.get(readFileMax)
	defer w.buffers.put(b)
	n := 0
	for _, run := range w.runs {
		for len(run) > 0 {
			if n == 0 && len(run) >= len(b.b) {
				if _, err := w.nc.Write(run); err != nil {
					return err
				}
				break
			}
			m := copy(b.b[n:], run)
			n, run = n+m, run[m:]
			if n == len(b.b) {
				if _, err := w.nc.Write(b.b); err != nil {
					return err
				}
				n = 0
			}
		}
	}
	if n == 0 {
		return nil
	}
	_, err := w.nc.Write(b.b[:n])
	return err
}

// forget drops runs and gives back what files were read into.
func (w *writer) forget() {
	for _, b := range w.temps {
		w.buffers.put(b)
	}
	clear(w.temps)
	clear(w.runs)
	w.temps, w.runs, w.bytes = w.temps[:0], w.runs[:0], 0
}
