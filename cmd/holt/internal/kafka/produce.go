package kafka

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lineMax is the longest line read as a record: the largest batch that brokers
// take by default is 1 MiB.
const lineMax = 64 << 20

type produceFlags struct {
	key, delimiter string
	headers        []string
	format         string
	acks           string
	compression    string
	partition      int32
	tombstone      bool
}

func (w World) produce() *cobra.Command {
	b := w.base()
	var f produceFlags
	cmd := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Write records, one for each line of standard input",
		Long: `Write records, one for each line of standard input.

With --format a record is read by a layout instead of by line: %k key, %v value,
%h{%k=%v,} headers, %p partition, %d timestamp in milliseconds, %K and %V lengths
before what they measure, each optionally as in %v{base64}, %k{hex}, %v{json}. A
topic that is not there is made, if the broker does that.`,
		Example: `  echo hello | holt produce orders
  holt produce orders -K : <<< 'k1:v1'                 key before the first colon
  holt produce orders -f '%k %v\n' -z zstd < records
  holt produce orders -k eu-1 --tombstone < /dev/null   a record without a value`,
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.key, "key", "k", "", "key of every record")
	fs.StringVarP(&f.delimiter, "delimiter", "K", "", "what ends the key within a line")
	fs.StringArrayVarP(&f.headers, "header", "H", nil, "header of every record, as name:value")
	fs.StringVarP(&f.format, "format", "f", "", "layout of a record, instead of a line")
	fs.StringVar(&f.acks, "acks", "all", "who must have a record before it counts as written: all replicas in sync, 1: the leader, 0: nobody")
	fs.StringVarP(&f.compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	fs.Int32VarP(&f.partition, "partitions", "p", -1, "partition of every record; -1: by key")
	fs.BoolVar(&f.tombstone, "tombstone", false, "write empty values as none, which deletes a key from a compacted topic; without input, one record")
	join := topicFlag(cmd)
	return b.command(cmd, nil, func(cmd *cobra.Command, args []string) error {
		if args = join(args); len(args) != 1 {
			return usage("%s takes the name of a topic, got %d", cmd.CommandPath(), len(args))
		}
		return b.runProduce(cmd.Context(), args[0], &f)
	})
}

func (b *base) runProduce(ctx context.Context, topic string, f *produceFlags) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	next, err := f.reader(b.In)
	if err != nil {
		return err
	}
	headers, err := parseHeaders(f.headers)
	if err != nil {
		return err
	}
	s, err := b.open(ctx, append(opts, kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	defer s.close()
	// A signal ends the reading; what was read is still written, as long as answers come.
	life, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	p := &producing{base: b, client: s.client, stop: stop, giveUp: giveUp}
	err = p.send(life, reading, readAhead(reading, next), func(r *kgo.Record) {
		r.Headers = append(r.Headers, headers...)
		if f.key != "" {
			r.Key = []byte(f.key)
		}
		if f.partition >= 0 {
			r.Partition = f.partition
		}
		if f.tombstone && len(r.Value) == 0 {
			r.Value = nil
		}
	})
	if err == nil && reading.Err() == nil && f.tombstone && p.sent == 0 && f.key != "" {
		p.produce(life, &kgo.Record{Key: []byte(f.key), Headers: headers, Partition: max(f.partition, 0)})
	}
	return p.finish(life, topic, err)
}

// read is a record that was read, or why none was.
type read struct {
	record *kgo.Record
	err    error // io.EOF at the end
}

// readAhead reads in a goroutine of its own, since a read of a terminal or a pipe cannot be ended: who
// waits for a record need not. The goroutine ends with the input, or with the first record that
// comes after ctx has ended; otherwise with the process.
func readAhead(ctx context.Context, next func() (*kgo.Record, error)) <-chan read {
	out := make(chan read, 64) // full: reading waits
	go func() {
		for {
			r, err := next()
			select {
			case out <- read{r, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// options are those of kgo that f asks for.
func (f *produceFlags) options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.AllowAutoTopicCreation(), kgo.ProducerBatchMaxBytes(1 << 20)}
	switch f.acks {
	case "all", "-1":
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, usage("--acks %s: not all, 1 or 0", f.acks)
	}
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	codec, ok := codecs[f.compression]
	if !ok {
		return nil, usage("--compression %s: not none, gzip, snappy, lz4 or zstd", f.compression)
	}
	opts = append(opts, kgo.ProducerBatchCompression(codec))
	if f.partition < -1 {
		return nil, usage("--partitions %d: not a partition, nor -1", f.partition)
	}
	if f.partition >= 0 || readsPartition(f.format) {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return opts, nil
}

// readsPartition reports whether a layout says which partition a record is for.
func readsPartition(format string) bool {
	for i := 0; i+1 < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i++; format[i] == 'p' {
			return true
		}
	}
	return false
}

// reader returns what reads the next record from in, until io.EOF.
func (f *produceFlags) reader(in io.Reader) (func() (*kgo.Record, error), error) {
	if f.format != "" {
		if f.delimiter != "" {
			return nil, usage("--delimiter is for lines, and --format says how else to read")
		}
		r, err := kgo.NewRecordReader(in, f.format)
		if err != nil {
			return nil, usage("--format %s: %w", f.format, err)
		}
		return r.ReadRecord, nil
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, lineMax)
	return func() (*kgo.Record, error) {
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		value := bytes.Clone(lines.Bytes())
		if value == nil {
			value = []byte{}
		}
		if f.delimiter != "" {
			if key, rest, ok := bytes.Cut(value, []byte(f.delimiter)); ok {
				return &kgo.Record{Key: key, Value: rest}, nil
			}
		}
		return &kgo.Record{Value: value}, nil
	}, nil
}

func parseHeaders(list []string) ([]kgo.RecordHeader, error) {
	var headers []kgo.RecordHeader
	for _, h := range list {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, usage("--header %s: not name:value", h)
		}
		headers = append(headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return headers, nil
}

// producing is the records under way. kgo bounds how many there are: send blocks
// when it has no room.
type producing struct {
	*base
	client *kgo.Client
	stop   context.CancelFunc      // ends the reading
	giveUp context.CancelCauseFunc // ends what is under way
	sent   int

	mu sync.Mutex
	// stall gives up when no answer came for the timeout. The client library's own limit counts from
	// the time that a record bears, which may be long ago. It runs while records are under way.
	// It and what follows are guarded by mu.
	stall    *time.Timer
	underWay int
	done     int
	first    error // of the first record that failed
}

// send hands records over until there are no more, one has failed or reading has ended. Those
// handed over end with life.
func (p *producing) send(life, reading context.Context, from <-chan read, dress func(*kgo.Record)) error {
	for {
		select {
		case in := <-from:
			if errors.Is(in.err, io.EOF) {
				return nil
			}
			if in.err != nil {
				return fmt.Errorf("read record %d: %w", p.sent+1, in.err)
			}
			dress(in.record)
			p.produce(life, in.record)
		case <-reading.Done():
			return nil
		}
	}
}

// produce hands one record over.
func (p *producing) produce(life context.Context, r *kgo.Record) {
	p.sent++
	p.await(1)
	p.client.Produce(life, r, func(r *kgo.Record, err error) {
		if err != nil && life.Err() != nil {
			err = context.Cause(life)
		}
		p.await(-1)
		p.delivered(r, err)
	})
}

// await counts records under way, and has the patience begin anew when an answer came.
func (p *producing) await(more int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underWay += more
	switch {
	case p.underWay == 0:
		p.stall.Stop()
	case p.stall == nil:
		p.stall = time.AfterFunc(p.timeout, func() { p.giveUp(fmt.Errorf("%w within %v", errNoAnswer, p.timeout)) })
	case more < 0 || p.underWay == 1:
		p.stall.Reset(p.timeout)
	}
}

func (p *producing) delivered(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.done++
	case p.first == nil:
		p.first = err
		p.stop()
	}
	if err == nil && p.output == "json" {
		line, _ := json.Marshal(struct {
			Topic     string `json:"topic"`
			Partition int32  `json:"partition"`
			Offset    int64  `json:"offset"`
			Timestamp int64  `json:"timestamp"`
		}{r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli()})
		fmt.Fprintf(p.Out, "%s\n", line)
	}
}

// finish waits for what is under way, until life ends, and says what became of all.
func (p *producing) finish(life context.Context, topic string, err error) error {
	if flushErr := p.client.Flush(life); err == nil && flushErr != nil {
		err = context.Cause(life)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first != nil {
		err = p.first
	}
	if err == nil {
		fmt.Fprintf(p.Err, "%s written to %s\n", count(p.done, "record"), topic)
		return nil
	}
	err = failure(err, "write to topic %s", topic)
	if p.done == 0 {
		return err
	}
	return &Failure{codePartial, fmt.Errorf("%w\n%s written before that", err, count(p.done, "record"))}
}
