package socket

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair returns the ends of a TCP connection.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// TestReadLarge: whatever pieces bytes arrive in, all are read, and so is the little that follows them.
func TestReadLarge(t *testing.T) {
	for _, c := range []struct {
		name         string
		size, buffer int // of the message; of the reader's socket, 0: the system's
	}{
		{"small", 1000, 0},
		{"at the limit", lowWaterMin, 0},
		{"large", 3 << 20, 0},
		{"large through a small buffer", 3 << 20, 16 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			const seed = 1
			rng := rand.New(rand.NewPCG(seed, 0))
			w, r := pair(t)
			if c.buffer > 0 {
				if err := r.SetReadBuffer(c.buffer); err != nil {
					t.Fatal(err)
				}
			}
			msg := make([]byte, c.size)
			for i := range msg {
				msg[i] = byte(rng.Uint32())
			}
			go func() {
				for rest := msg; len(rest) > 0; {
					n := min(len(rest), 1+rng.IntN(200<<10))
					if _, err := w.Write(rest[:n]); err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
					if rng.IntN(4) == 0 {
						time.Sleep(time.Millisecond) // the reader waits
					}
				}
			}()
			// Deadlines only keep a failure from hanging.
			if err := r.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			told := 0
			got := make([]byte, c.size)
			n, err := ReadLarge(r, got, func() { told++ })
			if n != c.size || err != nil || !bytes.Equal(got, msg) {
				t.Fatalf("read %d bytes of %d, %v", n, c.size, err)
			}
			if c.size >= lowWaterMin && told == 0 {
				t.Error("nothing was told of bytes that arrive")
			}
			if _, err := w.Write([]byte("next")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, got[:4]); err != nil || string(got[:4]) != "next" {
				t.Fatalf("after it %q, %v", got[:4], err)
			}
		})
	}
}

// TestReadLargeEnds: a reader that waits for more than comes learns of it.
func TestReadLargeEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w, r *net.TCPConn) error
		want error
	}{
		{"end of stream", func(w, _ *net.TCPConn) error { return w.Close() }, io.ErrUnexpectedEOF},
		{"reset", func(w, _ *net.TCPConn) error { return errors.Join(w.SetLinger(0), w.Close()) }, syscall.ECONNRESET},
		{"deadline", func(_, r *net.TCPConn) error { return r.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		{"closed", func(_, r *net.TCPConn) error { return r.Close() }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := pair(t)
			if _, err := w.Write(make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
			begun, done := make(chan struct{}), make(chan error, 1)
			go func() {
				_, err := ReadLarge(r, make([]byte, 1<<20), func() { close(begun) })
				done <- err
			}()
			<-begun
			if err := c.do(w, r); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				if !errors.Is(err, c.want) {
					t.Fatalf("%v, want %v", err, c.want)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("waits for ever")
			}
		})
	}
	w, r := pair(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := ReadLarge(r, make([]byte, 1<<20), nil); n != 0 || err != io.EOF {
		t.Fatalf("at the stream's end %d bytes, %v", n, err)
	}
}
