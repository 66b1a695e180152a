package server

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryPipeBuffersAndDelivers(t *testing.T) {
	client, server := memoryPipe()
	// Neither side reads before both have written: net.Pipe would lock up here.
	if _, err := client.Write([]byte("request")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("reply")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	if n, err := server.Read(b); err != nil || string(b[:n]) != "request" {
		t.Fatalf("server read %q, %v", b[:n], err)
	}
	if n, err := client.Read(b); err != nil || string(b[:n]) != "reply" {
		t.Fatalf("client read %q, %v", b[:n], err)
	}
}

func TestMemoryPipeClose(t *testing.T) {
	client, server := memoryPipe()
	if _, err := client.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "last" {
		t.Fatalf("read %q, %v; want what was written before the close, then EOF", got, err)
	}
	if _, err := server.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("write to a closed peer: %v", err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("read after own close: %v", err)
	}
}

func TestMemoryPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := memoryPipe()
		defer server.Close()
		defer client.Close()
		start := time.Now()
		if err := client.SetReadDeadline(start.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read past the deadline: %v", err)
		}
		if took := time.Since(start); took != time.Minute {
			t.Fatalf("read returned after %v, want a minute", took)
		}
		// A new deadline makes the connection usable again.
		if err := client.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("read %d, %v after the deadline was taken back", n, err)
		}
		// A writer that the other side does not read from waits, to its deadline.
		if err := client.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := client.Write(make([]byte, memoryBufferBytes+1))
		if n != memoryBufferBytes || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v; want %d and the deadline", n, err, memoryBufferBytes)
		}
	})
}
