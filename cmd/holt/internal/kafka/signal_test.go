package kafka

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// seen is a writer that says when something was written.
type seen struct {
	bytes.Buffer
	first chan struct{}
}

func (s *seen) Write(b []byte) (int, error) {
	if s.Len() == 0 {
		close(s.first)
	}
	return s.Buffer.Write(b)
}

// interrupt runs a command line until it has printed something, then ends its context as a signal
// does, and returns what came of it. The command must end then.
func interrupt(t *testing.T, brokers string, in io.Reader, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	out, talk := seen{first: make(chan struct{})}, bytes.Buffer{}
	w := World{In: in, Out: &out, Err: &talk, Getenv: func(string) string { return "" }}
	root := &cobra.Command{Use: "holt", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(New(w)...)
	root.SetArgs(append(args, "-b", brokers))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	for first := out.first; ; {
		select {
		case <-first:
			first = nil
			cancel()
		case err := <-ended:
			return out.String(), talk.String(), err
		case <-time.After(20 * time.Second):
			t.Fatal("the command goes on")
		}
	}
}

func oneBroker(t *testing.T, opts ...kfake.Opt) (c *kfake.Cluster, brokers string) {
	c = kfake.MustCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "t")}, opts...)...)
	t.Cleanup(c.Close)
	return c, strings.Join(c.ListenAddrs(), ",")
}

// TestFollowEndsBySignal: a consumer that follows, alone or in a group, ends when told to, with what it
// has read committed.
func TestFollowEndsBySignal(t *testing.T) {
	_, brokers := oneBroker(t)
	if _, talk, code := run(t.Context(), brokers, "hello\n", "produce", "t"); code != 0 {
		t.Fatal(talk)
	}
	for _, args := range [][]string{{"consume", "t", "--follow"}, {"consume", "t", "--follow", "-g", "g"}} {
		if out, talk, err := interrupt(t, brokers, nil, args...); out != "hello\n" || err != nil {
			t.Errorf("%v: %q, %v\n%s", args, out, err, talk)
		}
	}
	if out, talk, code := run(t.Context(), brokers, "", "group", "describe", "g"); code != 0 || !strings.Contains(out, "Empty") {
		t.Errorf("the group afterwards:\n%s%s", out, talk)
	}
}

// TestProduceEndsBySignal: a producer whose input is quiet, as a terminal is, ends when told to, with
// what came until then written.
func TestProduceEndsBySignal(t *testing.T) {
	_, brokers := oneBroker(t)
	in, typing := io.Pipe()
	defer typing.Close() // ends the read that goes on
	go io.WriteString(typing, "hello\n")
	_, talk, err := interrupt(t, brokers, in, "produce", "t", "-o", "json")
	if talk != "1 record written to t\n" || err != nil {
		t.Errorf("%q, %v", talk, err)
	}
}

// TestNoAnswer: records that no broker answers for are given up after the timeout.
func TestNoAnswer(t *testing.T) {
	c, brokers := oneBroker(t)
	quiet := make(chan struct{})
	t.Cleanup(func() { close(quiet) })
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() { <-quiet })
		return nil, nil, false
	})
	_, talk, code := run(t.Context(), brokers, "hello\n", "produce", "t", "--timeout", "1s")
	if code != codeUnreachable || talk != "holt: write to topic t: no answer within 1s\n" {
		t.Errorf("exit code %d: %s", code, talk)
	}
}
