package partition

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kafka's checkpoints are text: a version, a count and as many lines.
const checkpointVersion = "0"

// encodeCheckpoint returns a checkpoint of the given lines.
func encodeCheckpoint(lines []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%d\n", checkpointVersion, len(lines))
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// decodeCheckpoint returns a checkpoint's lines. Kafka makes the files empty at first.
func decodeCheckpoint(b []byte) ([]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(lines) < 2 {
		return nil, errors.New("checkpoint is cut short")
	}
	if lines[0] != checkpointVersion {
		return nil, fmt.Errorf("checkpoint of version %q", lines[0])
	}
	n, err := strconv.Atoi(lines[1])
	if err != nil || n != len(lines)-2 {
		return nil, fmt.Errorf("checkpoint announces %q lines and has %d", lines[1], len(lines)-2)
	}
	return lines[2:], nil
}

// offsets are one offset for each log that has one.
type offsets map[Name]int64

func (o offsets) encode() []byte {
	lines := make([]string, 0, len(o))
	for n, offset := range o {
		lines = append(lines, fmt.Sprintf("%s %d %d", n.Topic, n.Partition, offset))
	}
	slices.Sort(lines)
	return encodeCheckpoint(lines)
}

func decodeOffsets(b []byte) (offsets, error) {
	lines, err := decodeCheckpoint(b)
	if err != nil {
		return nil, err
	}
	o := make(offsets, len(lines))
	for _, l := range lines {
		f := strings.Fields(l)
		if len(f) != 3 {
			return nil, fmt.Errorf("checkpoint line %q", l)
		}
		p, err1 := strconv.ParseInt(f[1], 10, 32)
		offset, err2 := strconv.ParseInt(f[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil || offset < 0 {
			return nil, fmt.Errorf("checkpoint line %q", l)
		}
		o[Name{Topic: strings.Clone(f[0]), Partition: int32(p)}] = offset
	}
	return o, nil
}

// Batches carry epochs and positions as the header has them.
type epochStart struct {
	epoch int32
	start int64
}

// epochs is the leader-epoch cache: where each epoch began, both ascending.
type epochs []epochStart

// noEpoch and noOffset answer what is not known.
const (
	noEpoch  int32 = -1
	noOffset int64 = -1
)

func (e epochs) latest() int32 {
	if len(e) == 0 {
		return noEpoch
	}
	return e[len(e)-1].epoch
}

// assign says that epoch begins at start. What contradicts it goes: entries of
// the same or later epochs, and those that begin at or after start. The result
// shares no memory with e if it differs.
func (e epochs) assign(epoch int32, start int64) (_ epochs, changed bool) {
	if epoch < 0 {
		return e, false
	}
	if n := len(e); n > 0 && e[n-1].epoch == epoch && start >= e[n-1].start {
		return e, false
	}
	n := len(e)
	for n > 0 && (e[n-1].epoch >= epoch || e[n-1].start >= start) {
		n--
	}
	return append(slices.Clone(e[:n]), epochStart{epoch, start}), true
}

// cutEnd drops the epochs that begin at or after offset.
func (e epochs) cutEnd(offset int64) epochs {
	n := len(e)
	for n > 0 && e[n-1].start >= offset {
		n--
	}
	return slices.Clone(e[:n])
}

// cutStart makes offset the log's start: of the epochs that begin before it only
// the last stays, and begins there.
func (e epochs) cutStart(offset int64) epochs {
	n := 0
	for n+1 < len(e) && e[n+1].start <= offset {
		n++
	}
	e = slices.Clone(e[n:])
	if len(e) > 0 && e[0].start < offset {
		e[0].start = offset
	}
	return e
}

// end answers OffsetForLeaderEpoch: the largest epoch not above the one asked
// for, and where it ends, given the log's end. An epoch that this log has not
// heard of, or an empty cache, is answered by noEpoch and noOffset.
func (e epochs) end(epoch int32, logEnd int64) (int32, int64) {
	if epoch < 0 || len(e) == 0 || epoch > e.latest() {
		return noEpoch, noOffset
	}
	if epoch == e.latest() {
		return epoch, logEnd
	}
	i, _ := slices.BinarySearchFunc(e, epoch+1, func(s epochStart, t int32) int { return int(s.epoch) - int(t) })
	if i == 0 {
		return epoch, e[0].start
	}
	return e[i-1].epoch, e[i].start
}

// at returns the epoch that an offset was written in.
func (e epochs) at(offset int64) int32 {
	for i := len(e) - 1; i >= 0; i-- {
		if e[i].start <= offset {
			return e[i].epoch
		}
	}
	return noEpoch
}

func (e epochs) encode() []byte {
	lines := make([]string, len(e))
	for i, s := range e {
		lines[i] = fmt.Sprintf("%d %d", s.epoch, s.start)
	}
	return encodeCheckpoint(lines)
}

func decodeEpochs(b []byte) (epochs, error) {
	lines, err := decodeCheckpoint(b)
	if err != nil {
		return nil, err
	}
	e := make(epochs, 0, len(lines))
	for _, l := range lines {
		var s epochStart
		if n, err := fmt.Sscanf(l, "%d %d", &s.epoch, &s.start); n != 2 || err != nil {
			return nil, fmt.Errorf("checkpoint line %q", l)
		}
		if n := len(e); n > 0 && (s.epoch <= e[n-1].epoch || s.start < e[n-1].start) {
			return nil, fmt.Errorf("checkpoint line %q is out of order", l)
		}
		e = append(e, s)
	}
	return e, nil
}
