package kafka

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestConsumeGivesUp: what is said to be there and does not come is the end if the leader has nothing of it any more,
// as after compaction, and a failure if it has or does not answer.
func TestConsumeGivesUp(t *testing.T) {
	for _, tc := range []struct {
		name     string
		partly   bool // the leader gives two records of three, and nothing behind them
		code     int16
		group    string
		exit     int
		out, say string
	}{
		{name: "gone", partly: true, out: "a\nb\n"},
		{name: "not led", code: kerr.NotLeaderForPartition.Code, exit: codeUnreachable, say: "topic t, partition 0 stopped at 0 of 3: NOT_LEADER_FOR_PARTITION"},
		{name: "in a group", code: kerr.NotLeaderForPartition.Code, group: "g", say: "unless other members of the group have it: t/0 stopped at 0 of 3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, brokers := oneBroker(t)
			if _, talk, code := run(t.Context(), brokers, "a\nb\n", "produce", "t"); code != 0 {
				t.Fatal(talk)
			}
			c.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				return threeThere(req.(*kmsg.ListOffsetsRequest)), nil, true
			})
			c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				if tc.partly {
					return nil, nil, false
				}
				return refused(req.(*kmsg.FetchRequest), tc.code), nil, true
			})
			args := []string{"consume", "t", "-p", "0"}
			if tc.group != "" {
				args = []string{"consume", "t", "-g", tc.group}
			}
			out, message, code := impatient(t, brokers, args...)
			if out != tc.out || !strings.Contains(message, tc.say) || tc.say == "" && message != "" || code != tc.exit {
				t.Errorf("got %q, %q, code %d; want %q, %q, code %d", out, message, code, tc.out, tc.say, tc.exit)
			}
		})
	}
}

// impatient runs a command line that gives up soon.
func impatient(t *testing.T, brokers string, args ...string) (stdout, message string, code int) {
	t.Helper()
	var out, talk bytes.Buffer
	w := World{In: strings.NewReader(""), Out: &out, Err: &talk, Getenv: func(string) string { return "" }, Patience: 100 * time.Millisecond}
	root := &cobra.Command{Use: "holt", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(New(w)...)
	root.SetArgs(append(args, "-b", brokers))
	err := root.ExecuteContext(t.Context())
	if err == nil {
		return out.String(), talk.String(), 0
	}
	var f *Failure
	if errors.As(err, &f) {
		code = f.Code
	}
	return out.String(), talk.String() + err.Error(), code
}

// threeThere has partitions begin at 0 and end at 3.
func threeThere(req *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.Offset = p.Partition, 0
			if p.Timestamp != -2 {
				rp.Offset = 3
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// refused answers a fetch with a code for all that it asks.
func refused(req *kmsg.FetchRequest, code int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewFetchResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, code
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
