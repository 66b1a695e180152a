package simnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect makes a connection between two hosts.
func connect(t *testing.T, n *Network) (a, b net.Conn, ln net.Listener) {
	t.Helper()
	ln, err := n.Host("b").Listen("b:1")
	if err != nil {
		t.Fatal(err)
	}
	a, err = n.Host("a").Dial(t.Context(), "b:1")
	if err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b, ln
}

func inBubble(t *testing.T, f func(t *testing.T, n *Network, a, b net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		n.SetAll(Link{Delay: 10 * time.Millisecond})
		start := time.Now()
		a, b, ln := connect(t, n)
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("connected after %v", took)
		}
		f(t, n, a, b)
		for _, c := range []io.Closer{a, b, ln} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDelay(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Network, a, b net.Conn) {
		start := time.Now()
		for range 3 {
			if _, err := a.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(start) != 0 {
			t.Error("a write waits")
		}
		buf := make([]byte, 12)
		if _, err := io.ReadFull(b, buf); err != nil || string(buf) != "pingpingping" {
			t.Errorf("%q %v", buf, err)
		}
		if took := time.Since(start); took != 10*time.Millisecond {
			t.Errorf("arrived after %v", took)
		}
	})
}

func TestLossDelaysAndKeepsOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Network, a, b net.Conn) {
		n.Set("a", "b", Link{Delay: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.3})
		start := time.Now()
		var want []byte
		for i := range byte(100) {
			want = append(want, i)
			a.Write([]byte{i})
		}
		got := make([]byte, 100)
		if _, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v %v", got, err)
		}
		if took := time.Since(start); took < resendAfter {
			t.Errorf("no loss in 100 segments: %v", took)
		}
	})
}

func TestEndAfterData(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Network, a, b net.Conn) {
		a.Write([]byte("last words"))
		a.Close()
		got, err := io.ReadAll(b)
		if err != nil || string(got) != "last words" {
			t.Errorf("%q %v", got, err)
		}
		if _, err := b.Write([]byte("anybody?")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to nobody: %v", err)
		}
		if _, err := a.Read(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
	})
}

func TestCrash(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Network, a, b net.Conn) {
		old := n.Host("b")
		old.Crash()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v", err)
		}
		if _, err := n.Host("a").Dial(t.Context(), "b:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
		if _, err := old.Dial(t.Context(), "a:1"); err == nil {
			t.Error("the dead dial")
		}
		if _, err := n.Host("b").Listen("b:1"); err != nil {
			t.Errorf("listen after restart: %v", err)
		}
	})
}

func TestCut(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Network, a, b net.Conn) {
		n.Cut("a", "b")
		a.Write([]byte("x"))
		b.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read while cut: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Host("a").Dial(ctx, "b:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial while cut: %v", err)
		}
		n.Heal("a", "b")
		b.SetReadDeadline(time.Time{})
		if _, err := b.Read(make([]byte, 1)); err != nil {
			t.Errorf("read after healing: %v", err)
		}
	})
}

func TestWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Network, a, b net.Conn) {
		a.SetWriteDeadline(time.Now().Add(time.Second))
		k, err := a.Write(make([]byte, 2*windowBytes))
		if k != windowBytes || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", k, err)
		}
		a.SetWriteDeadline(time.Time{})
		go io.Copy(io.Discard, b)
		if k, err := a.Write(make([]byte, 2*windowBytes)); k != 2*windowBytes || err != nil {
			t.Errorf("%d bytes, %v", k, err)
		}
		a.Close()
	})
}
