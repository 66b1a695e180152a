package server

import (
	"io"
	"net"
	"strings"
	"testing"
)

// add returns what output.append wants, for a text.
func add(text string) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, text...) }
}

func newOutput(t *testing.T) (*output, net.Conn) {
	t.Helper()
	client, server := memoryPipe()
	o := &output{}
	o.init(server, new(bufferPool), newMetrics())
	t.Cleanup(func() { client.Close(); o.closeNow() })
	return o, client
}

func TestOutputHoldsEventsBehindReply(t *testing.T) {
	o, client := newOutput(t)
	o.event(add("event 1;"))
	o.hold()
	o.event(add("event 2;"))
	o.release(add("reply;"))
	o.event(add("event 3;"))
	o.closeAfterFlush()
	o.flush()
	got, err := io.ReadAll(client)
	if want := "event 1;reply;event 2;event 3;"; err != nil || string(got) != want {
		t.Fatalf("client read %q, %v; want %q", got, err, want)
	}
}

func TestOutputClosesAConnectionThatIsNotRead(t *testing.T) {
	o, client := newOutput(t)
	for range outputMax/(1<<20) + 2 {
		o.append(add(strings.Repeat("x", 1<<20)))
	}
	if o.err != errOutputOverflow {
		t.Fatalf("output failed with %v, want %v", o.err, errOutputOverflow)
	}
	if got, err := io.ReadAll(client); err != nil || len(got) != 0 {
		t.Fatalf("client read %d bytes, %v; want nothing but the end", len(got), err)
	}
	// The bound is on what waits, not on one reply.
	o, client = newOutput(t)
	o.append(add(strings.Repeat("x", outputMax+1)))
	o.closeAfterFlush()
	go o.flush()
	if got, err := io.ReadAll(client); err != nil || len(got) != outputMax+1 {
		t.Fatalf("client read %d bytes, %v; want %d", len(got), err, outputMax+1)
	}
}

// TestOutputEndWaitsForTheWriter: the last reply of a connection was appended while another
// goroutine was writing an earlier one, which then has to write it.
func TestOutputEndWaitsForTheWriter(t *testing.T) {
	client, server := net.Pipe() // without a buffer: a write lasts until it is read
	defer client.Close()
	o := &output{}
	o.init(server, new(bufferPool), newMetrics())
	o.append(add("first;"))
	go o.flush()
	got := make([]byte, 1)
	if _, err := client.Read(got); err != nil {
		t.Fatal(err)
	}
	o.append(add("last;"))
	o.closeAfterFlush()
	o.flush() // somebody writes already
	go func() {
		o.waitClosed()
		o.closeNow()
	}()
	rest, err := io.ReadAll(client)
	if want := "first;last;"; err != nil || string(got)+string(rest) != want {
		t.Fatalf("client read %q, %v; want %q", string(got)+string(rest), err, want)
	}
}

func TestOutputMeasuresRepliesAndEvents(t *testing.T) {
	o, client := newOutput(t)
	o.append(add("no reply, and longer than any"))
	o.reply(add("len.12345"))
	o.event(add("len.123"))
	o.hold()
	o.event(add("len.1234567"))
	o.release(add("len.1"))
	go io.Copy(io.Discard, client)
	o.flush()
	if last, least, most := o.sent.Responses.Load(); last != 1 || least != 1 || most != 7 {
		t.Errorf("last %d, min %d, max %d", last, least, most)
	}
	o.closeNow()
	o.reply(add("len.123456789"))
	o.flush()
	if _, _, most := o.sent.Responses.Load(); most != 7 {
		t.Errorf("max %d with a reply that was not sent", most)
	}
}
