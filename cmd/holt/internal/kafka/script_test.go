package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs one command line against brokers and returns what it printed and its
// exit code.
func run(ctx context.Context, brokers string, stdin string, args ...string) (stdout, stderr string, code int) {
	var out, talk bytes.Buffer
	w := World{In: strings.NewReader(stdin), Out: &out, Err: &talk, Getenv: func(name string) string {
		if name == "KAFKA_BROKERS" {
			return brokers
		}
		return ""
	}}
	root := &cobra.Command{Use: "holt", SilenceErrors: true, SilenceUsage: true}
	root.SetOut(&out)
	root.SetErr(&talk)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%w", err) })
	root.AddCommand(New(w)...)
	root.AddCommand(parent("broker", "", "", Broker(w)...))
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(&talk, "holt: %v\n", err)
		code = codeOther
		var f *Failure
		if errors.As(err, &f) {
			code = f.Code
		}
	}
	return out.String(), talk.String(), code
}

// TestScripts runs the scripts in testdata: each is a new cluster of one broker, and
// each line a command, whose standard input is what follows it. What differs from
// run to run is written as <id>, <time>, <port>.
func TestScripts(t *testing.T) {
	changing := []struct {
		re   *regexp.Regexp
		with string
	}{
		{regexp.MustCompile(`\bid [A-Za-z0-9_-]{22}\b`), "id <id>"},
		{regexp.MustCompile(`"id": "[A-Za-z0-9_-]{22}"`), `"id": "<id>"`},
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "<time>"},
		{regexp.MustCompile(`"timestamp":\d+`), `"timestamp":<time>`},
		{regexp.MustCompile(`"port": \d+`), `"port": <port>`},
		{regexp.MustCompile(`-[0-9a-f]{8}-[0-9a-f-]{27}`), "-<uuid>"},
		{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<broker>"},
		{regexp.MustCompile(` +\n`), "\n"},
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		c := kfake.MustCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(2))
		defer c.Close()
		brokers := strings.Join(c.ListenAddrs(), ",")
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			line, stdin, _ := strings.Cut(d.Input, "\n")
			if stdin != "" {
				stdin += "\n"
			}
			args, err := words(line)
			if err != nil {
				t.Fatal(err)
			}
			stdout, stderr, code := run(t.Context(), brokers, stdin, args...)
			text := stdout + stderr
			if code != 0 {
				text += fmt.Sprintf("exit code %d\n", code)
			}
			for _, c := range changing {
				text = c.re.ReplaceAllString(text, c.with)
			}
			return text
		})
	})
}

// TestNewCluster: the commands wait until a coordinator is there, as it takes a moment when the
// first group of a cluster is asked for.
func TestNewCluster(t *testing.T) {
	for _, args := range [][]string{
		{"consume", "t", "-g", "g", "-o", "start", "-n", "1"},
		{"group", "describe", "g"},
		{"group", "reset", "g", "--topic", "t", "--to", "earliest"},
	} {
		t.Run(args[0]+" "+args[1], func(t *testing.T) {
			c := kfake.MustCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
			defer c.Close()
			brokers := strings.Join(c.ListenAddrs(), ",")
			if _, talk, code := run(t.Context(), brokers, "hello\n", "produce", "t"); code != 0 {
				t.Fatal(talk)
			}
			refused := 0
			c.ControlKey(int16(kmsg.FindCoordinator), func(r kmsg.Request) (kmsg.Response, error, bool) {
				req := r.(*kmsg.FindCoordinatorRequest)
				if refused++; refused > 1 {
					c.DropControl()
					return nil, nil, false
				}
				c.KeepControl()
				resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
				resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
				for _, key := range req.CoordinatorKeys {
					rc := kmsg.NewFindCoordinatorResponseCoordinator()
					rc.Key, rc.ErrorCode = key, kerr.CoordinatorNotAvailable.Code
					resp.Coordinators = append(resp.Coordinators, rc)
				}
				return resp, nil, true
			})
			_, talk, code := run(t.Context(), brokers, "", args...)
			if code != 0 && code != codeNotFound || refused < 2 {
				t.Errorf("exit code %d after %d questions\n%s", code, refused, talk)
			}
		})
	}
}

// words parts a line at blanks, but for those within '...'.
func words(line string) ([]string, error) {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	if strings.Count(line, "'")%2 == 1 {
		return nil, fmt.Errorf("%s: a quote is open", line)
	}
	return out, nil
}
