package kafka

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// idleMax is how long consume waits for a record that is said to be there before it looks why none
// comes; groupIdleMax is that of a group, which may take so long to share out partitions.
const (
	idleMax      = 5 * time.Second
	groupIdleMax = 10 * time.Second
)

type consumeFlags struct {
	from       string
	number     int64
	partitions []string
	group      string
	format     string
	follow     bool
	committed  bool
	beginning  bool
}

func (w World) consume() *cobra.Command {
	b := w.base()
	var f consumeFlags
	cmd := &cobra.Command{
		Use:   "consume TOPIC...",
		Short: "Read records",
		Long: `Read records, to the end that the topic has now, or with --follow for ever. With
-o end, where there is nothing before the end, it is as with --follow.

The layout of --format knows %t topic, %p partition, %o offset, %k key, %v value,
%h{%k=%v } headers, %H how many, %d timestamp in milliseconds or %d{go#RFC3339#},
%K and %V lengths, each optionally as in %v{base64} or %k{hex}; the word json
prints one object a line. With --group the group's offsets are where reading
begins, and are committed; all consumers of a group share its partitions.

Fewer records than asked for with -n are no error if no more are there. If what is
there does not come for a while, since nobody leads the partition or its leader
does not give it, the exit code is 7. In a group others may read it, and it is 0.`,
		Example: `  holt consume orders
  holt consume orders -o -10 --follow                         the last ten of each partition, then new ones
  holt consume orders -o @2026-11-22T10:00 -n 100 -p 0,1
  holt consume orders -g billing -f '%t %p:%o %k %v\n'
  holt consume orders -f json | jq .value`,
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.from, "offset", "o", "", "where to begin: start, end, an offset, +n after the start, -n before the end, @time (default start)")
	fs.Int64VarP(&f.number, "number", "n", 0, "end after so many records")
	fs.StringSliceVarP(&f.partitions, "partitions", "p", nil, "partitions, as 0,1,4-7 (default all)")
	fs.StringVarP(&f.group, "group", "g", "", "consumer group to join")
	fs.StringVarP(&f.format, "format", "f", `%v\n`, "layout of a record, or json")
	fs.BoolVar(&f.follow, "follow", false, "go on with new records as they come")
	fs.BoolVar(&f.committed, "read-committed", false, "leave out records of transactions that are open or aborted")
	fs.BoolVar(&f.beginning, "from-beginning", false, "")
	if err := fs.MarkHidden("from-beginning"); err != nil {
		panic(err) // the flag was added above
	}
	join := topicFlag(cmd)
	b.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if args = join(args); len(args) == 0 {
			return usage("%s takes the name of a topic", cmd.CommandPath())
		}
		return b.runConsume(cmd.Context(), args, &f)
	}
	return cmd
}

// start is the position that f asks for.
func (f *consumeFlags) start() (position, error) {
	if f.beginning && f.from != "" {
		return position{}, usage("--from-beginning and --offset exclude one another")
	}
	if f.from == "" {
		return position{kind: atStart}, nil
	}
	return parsePosition("--offset", f.from, time.Now())
}

func (b *base) runConsume(ctx context.Context, topics []string, f *consumeFlags) error {
	at, err := f.start()
	if err != nil {
		return err
	}
	only, err := parsePartitions(f.partitions)
	if err != nil {
		return err
	}
	if f.group != "" && only != nil {
		return usage("--partitions and --group exclude one another: the group shares out partitions")
	}
	print, err := newPrinter(f.format)
	if err != nil {
		return err
	}
	c := &consuming{base: b, flags: f, at: at, only: only, print: print, out: bufio.NewWriter(b.Out), left: map[topicPartition]*span{}}
	if at.kind == atEnd {
		f.follow = true // there is nothing else to wait for
	}
	if err := c.prepare(ctx, topics); err != nil {
		return err
	}
	return c.run(ctx, topics)
}

type topicPartition struct {
	topic     string
	partition int32
}

// span is what remains to be read of a partition: up to end, from next on.
type span struct{ next, end int64 }

// consuming is one run of consume, by one goroutine.
type consuming struct {
	*base
	flags *consumeFlags
	at    position
	only  []int32
	print func([]byte, *kgo.Record) []byte
	out   *bufio.Writer

	assign map[string]map[int32]kgo.Offset
	left   map[topicPartition]*span
	shown  int64
	buf    []byte
}

// prepare finds out where to begin and where the end is.
func (c *consuming) prepare(ctx context.Context, topics []string) error {
	return c.with(ctx, func(ctx context.Context, adm *kadm.Client) error {
		c.assign = map[string]map[int32]kgo.Offset{}
		for _, topic := range topics {
			if err := c.prepareTopic(ctx, adm, topic); err != nil {
				return err
			}
		}
		if c.flags.group == "" {
			return nil
		}
		return c.prepareGroup(ctx, adm)
	})
}

func (c *consuming) prepareTopic(ctx context.Context, adm *kadm.Client, topic string) error {
	b, err := readBounds(ctx, adm, topic)
	if err != nil {
		return err
	}
	if c.flags.committed {
		offsets, err := settled(ctx, func() (kadm.ListedOffsets, error) { return adm.ListCommittedOffsets(ctx, topic) })
		if err != nil {
			return failure(err, "offsets of topic %s", topic)
		}
		for p := range b.end {
			b.end[p] = listed(offsets, topic, p)
		}
	}
	from, err := b.resolve(ctx, adm, c.at)
	if err != nil {
		return err
	}
	if err := b.mustHave(c.only); err != nil {
		return err
	}
	c.assign[topic] = map[int32]kgo.Offset{}
	for p, offset := range from {
		if len(c.only) > 0 && !slices.Contains(c.only, p) {
			continue
		}
		c.assign[topic][p] = kgo.NewOffset().At(offset)
		c.left[topicPartition{topic, p}] = &span{offset, b.end[p]}
	}
	return nil
}

// prepareGroup lets the spans begin where the group is.
func (c *consuming) prepareGroup(ctx context.Context, adm *kadm.Client) error {
	offsets, err := committedBy(ctx, adm, c.flags.group)
	if err != nil {
		return err
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if s := c.left[topicPartition{o.Topic, o.Partition}]; s != nil && o.Err == nil && o.At >= 0 {
			s.next = o.At
		}
	})
	return nil
}

// options are those of the client that reads.
func (c *consuming) options(topics []string) []kgo.Opt {
	opts := []kgo.Opt{kgo.KeepControlRecords(), kgo.FetchMaxWait(500 * time.Millisecond)}
	if c.flags.committed {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if c.flags.group == "" {
		return append(opts, kgo.ConsumePartitions(c.assign), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	}
	reset := kgo.NewOffset().AtStart()
	switch c.at.kind {
	case atEnd:
		reset = kgo.NewOffset().AtEnd()
	case atTime:
		reset = kgo.NewOffset().AfterMilli(c.at.n)
	}
	return append(opts, kgo.ConsumerGroup(c.flags.group), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(reset),
		kgo.AutoCommitMarks(), kgo.BlockRebalanceOnPoll())
}

func (c *consuming) run(ctx context.Context, topics []string) error {
	if c.done() {
		return nil
	}
	s, err := c.open(ctx, c.options(topics)...)
	if err != nil {
		return err
	}
	defer s.close()
	err = c.poll(ctx, s.client)
	if flushErr := c.out.Flush(); err == nil {
		err = flushErr
	}
	if c.flags.group == "" {
		return err
	}
	// The signal that ended the reading does not end the commit.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	if commitErr := s.client.CommitMarkedOffsets(ctx); err == nil {
		err = failure(commitErr, "commit offsets of group %s", c.flags.group)
	}
	leaveErr := s.client.LeaveGroupContext(ctx)
	if leaveErr != nil {
		// The group may be gathering members, for as long as these take: the client library would
		// wait for that to end.
		s.abort()
	}
	return errors.Join(err, failure(leaveErr, "leave group %s", c.flags.group))
}

// poll reads until enough was read or the context ends.
func (c *consuming) poll(ctx context.Context, client *kgo.Client) error {
	progress := time.Now()
	// Whoever has polled keeps the group from rebalancing until allowed, and cannot leave it before.
	defer client.AllowRebalance()
	for {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollFetches(wait)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return failure(e.Err, "read topic %s, partition %d", e.Topic, e.Partition)
			}
		}
		for it := fetches.RecordIter(); !it.Done() && !c.enough(); {
			progress = time.Now()
			r := it.Next()
			c.take(r)
			client.MarkCommitRecords(r)
		}
		client.AllowRebalance()
		if err := c.out.Flush(); err != nil {
			return err
		}
		if c.enough() || c.done() {
			return nil
		}
		if !c.flags.follow && time.Since(progress) > c.patience() {
			return c.giveUp(ctx, client)
		}
	}
}

func (c *consuming) patience() time.Duration {
	switch {
	case c.Patience > 0:
		return c.Patience
	case c.flags.group != "":
		return groupIdleMax
	}
	return idleMax
}

// giveUp ends reading when nothing more comes. What a group does not get others of its members may have.
func (c *consuming) giveUp(ctx context.Context, client *kgo.Client) error {
	if c.flags.group == "" {
		return c.rest(ctx, client)
	}
	fmt.Fprintf(c.Err, "nothing more came within %v; unless other members of the group have it: %s\n", c.patience(), c.missing())
	return nil
}

// take prints a record, unless it is a transaction's marker, and advances.
func (c *consuming) take(r *kgo.Record) {
	if s := c.left[topicPartition{r.Topic, r.Partition}]; s != nil {
		if !c.flags.follow && r.Offset >= s.end {
			return
		}
		s.next = r.Offset + 1
	}
	if r.Attrs.IsControl() {
		return
	}
	c.shown++
	c.buf = c.print(c.buf[:0], r)
	c.out.Write(c.buf) // an error stays with the writer and comes with Flush
}

func (c *consuming) enough() bool { return c.flags.number > 0 && c.shown >= c.flags.number }

// done says whether everything up to the ends was read.
func (c *consuming) done() bool {
	if c.flags.follow {
		return false
	}
	for _, s := range c.left {
		if s.next < s.end {
			return false
		}
	}
	return true
}

// missing says what was not read.
func (c *consuming) missing() string {
	var parts []string
	for tp, s := range c.left {
		if s.next < s.end {
			parts = append(parts, fmt.Sprintf("%s/%d stopped at %d of %d", tp.topic, tp.partition, s.next, s.end))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
