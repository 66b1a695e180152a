package socket

import (
	"io"
	"testing"
)

func TestTryWriteTakesWhatTheSocketTakes(t *testing.T) {
	client, server := pair(t)
	raw, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if n := TryWrite(raw, []byte("short")); n != 5 {
		t.Fatalf("wrote %d bytes of 5", n)
	}
	// Nobody reads: a large write ends early instead of waiting.
	large := make([]byte, 64<<20)
	n := TryWrite(raw, large)
	if n <= 0 || n == len(large) {
		t.Fatalf("wrote %d bytes of %d to a socket that nobody reads", n, len(large))
	}
	if got, err := io.ReadFull(server, make([]byte, 5+n)); err != nil || got != 5+n {
		t.Fatalf("read %d bytes, %v; want %d", got, err, 5+n)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if n := TryWrite(raw, []byte("x")); n != 0 {
		t.Fatalf("wrote %d bytes to a closed socket", n)
	}
}
