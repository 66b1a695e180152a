package zkfile

import (
	"fmt"
	"hash"
	"hash/adler32"
	"io"

	"holt/wire"
	"holt/znode"
)

// outputBuffer is how much is collected before it is written.
const outputBuffer = 64 << 10

// output collects what is to be written and adds up its Adler-32.
type output struct {
	w      io.Writer
	buf    []byte
	summed int // of buf
	sum    hash.Hash32
}

func newOutput(w io.Writer) *output {
	return &output{w: w, buf: make([]byte, 0, outputBuffer+4096), sum: adler32.New()}
}

// flush writes what was collected if that is more than limit.
func (o *output) flush(limit int) error {
	if len(o.buf) <= limit {
		return nil
	}
	o.sumUp()
	_, err := o.w.Write(o.buf)
	if cap(o.buf) > 4<<20 {
		o.buf = make([]byte, 0, outputBuffer+4096)
	}
	o.buf, o.summed = o.buf[:0], 0
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

func (o *output) sumUp() {
	o.sum.Write(o.buf[o.summed:]) // never fails
	o.summed = len(o.buf)
}

// seal appends the checksum of all before it.
func (o *output) seal() {
	o.sumUp()
	o.buf = wire.AppendInt64(o.buf, int64(o.sum.Sum32()))
	o.buf = wire.AppendString(o.buf, znode.Root)
}
