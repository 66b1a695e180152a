package metadata

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func frame(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			binary.Write(&b, binary.BigEndian, int32(len(p)))
			b.WriteString(p)
		default:
			binary.Write(&b, binary.BigEndian, p)
		}
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(b.Len())), b.Bytes()...)
}

// exchange runs the server's side of a dialogue: it reads want, then writes answer,
// if there is one.
func exchange(t *testing.T, server net.Conn, want, answer []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(server, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the server got %x %v, want %x", got, err, want)
	}
	if len(answer) == 0 {
		return // a pipe would wait for a reader even so
	}
	if _, err := server.Write(answer); err != nil {
		t.Error(err)
	}
}

// TestSetWatches sees every watch be forgotten instead of asked for.
func TestSetWatches(t *testing.T) {
	client, server := net.Pipe()
	defer server.Close()
	c := newWatchedConn(client, time.Now().Add(time.Minute))
	defer c.Close()

	connect := frame(int32(0), int64(101)<<32, int32(1000), int64(0), "passwd")
	connected := frame(int32(0), int32(1000), int64(7), "passwd")
	go func() {
		exchange(t, server, connect, connected)
		exchange(t, server, frame(int32(5), int32(opSetWatches), int64(99), int32(0), int32(0), int32(0)), nil)
		exchange(t, server, frame(int32(6), int32(4), "/x", false), frame(int32(5), int64(100), int32(0)))
		server.Write(frame(int32(6), int64(100), int32(0), "data")) // the client reads it, or fails
	}()

	write := func(b []byte) {
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Errorf("wrote %d of %d: %v", n, len(b), err)
		}
	}
	read := func(want []byte) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %x %v, want %x", got, err, want)
		}
	}
	write(connect)
	read(connected)
	write(frame(int32(5), int32(opSetWatches), int64(99), int32(1), "/a", int32(1), "/b", int32(2), "/c", "/d"))
	write(frame(int32(6), int32(4), "/x", false))
	event := func(kind int32, path string) []byte {
		return frame(int32(-1), int64(-1), int32(0), kind, int32(forgetting), path)
	}
	read(event(eventDataChanged, "/a"))
	read(event(eventDataChanged, "/b"))
	read(event(eventChildrenChanged, "/c"))
	read(event(eventChildrenChanged, "/d"))
	read(frame(int32(5), int64(100), int32(0)))
	read(frame(int32(6), int64(100), int32(0), "data"))
}

// TestHandshakeDeadline has a server that accepts and says nothing.
func TestHandshakeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		c := newWatchedConn(client, time.Now().Add(3*time.Second))
		defer c.Close()
		began := time.Now()
		if err := c.SetReadDeadline(began.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 4)); err == nil || time.Since(began) != 3*time.Second {
			t.Errorf("read ended with %v after %v", err, time.Since(began))
		}
	})
}
