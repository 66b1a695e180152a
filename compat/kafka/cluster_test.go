package kafka

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// chroot is where the brokers keep everything; the old consumers' /consumers lie below it too.
const chroot = "/kafka"

// start starts three coordination members of the kind under test and brokers on them.
func start(t *testing.T, brokers int) (*ensemble.Ensemble, *Cluster) {
	t.Helper()
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"java", "-version"}, Package: "default-jre-headless"})
	target.Require(t, target.Tool{Check: []string{"mvn", "-version"}, Package: "maven"})
	e := target.Start(t, ensemble.Config{Members: 3})
	c, err := New(t.Context(), Config{ZooKeeper: strings.Join(e.Addrs(), ",") + chroot, Brokers: brokers, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(t, c)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e, c
}

// printLogs puts the last part of each broker's log into the test's output: the directory is
// gone when somebody reads it.
func printLogs(t *testing.T, c *Cluster) {
	const most = 6000
	for _, b := range c.Brokers() {
		text, err := os.ReadFile(b.LogPath())
		if err != nil {
			continue // it never started
		}
		t.Logf("%s, last of its log:\n%s", b.name(), text[max(0, len(text)-most):])
	}
}

// within returns a context for one step.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("not within %v", d))
	t.Cleanup(cancel)
	return ctx
}

// tool runs one of Kafka's tools to its end and returns what it printed; a failure ends the
// test.
func tool(t *testing.T, c *Cluster, input, name string, args ...string) string {
	t.Helper()
	began := time.Now()
	cmd := c.Tool(within(t, time.Minute), name, args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, tail(out.String()), tail(complaint.String()))
	}
	t.Logf("%s %s: %.1f s", name, args[min(2, len(args)-1)], time.Since(began).Seconds())
	return out.String()
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// expect fails the test if text lacks one of the parts.
func expect(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, tail(text))
		}
	}
}

// check fails the test at once on an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// endOffsets returns the number of records that a topic took, by its partitions' end offsets.
func endOffsets(t *testing.T, c *Cluster, topic string) int {
	t.Helper()
	sum := 0
	for line := range strings.Lines(tool(t, c, "", "kafka-get-offsets", "--bootstrap-server", c.Bootstrap(), "--topic", topic)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 {
			continue
		}
		n, err := strconv.Atoi(fields[2])
		check(t, err)
		sum += n
	}
	return sum
}
