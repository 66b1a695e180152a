package zkfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"

	"holt/wire"
)

const (
	logMagic     = 0x5a4b4c47 // "ZKLG"
	endOfRecord  = 'B'
	lastOfNoTxns = "no transaction comes before that place"
)

var errHole = errors.New("a transaction is not whole and more follows it")

// End is how a transaction log ends.
type End uint8

const (
	EndOpen   End = iota // not reached yet
	EndPadded            // by the zeros that the file was made longer with
	EndFile              // by the end of the file
	EndCut               // within the last record, which was never acknowledged
)

// LogReader reads a transaction log record by record.
type LogReader struct {
	in   *input
	last wire.Zxid
	txns int64
	end  End
	err  error
}

// NewLogReader reads the head of a log. r need not be buffered. The error is a
// *DamageError if what r holds is none. An empty file is a log without transactions: the
// original leaves one when it dies at the wrong moment.
func NewLogReader(r io.Reader) (*LogReader, error) {
	l := &LogReader{in: newInput(r)}
	in := l.in
	if !in.fill(1) && in.err == nil {
		l.end = EndFile
		return l, nil
	}
	if magic := in.int32(); in.err == nil && magic != logMagic {
		in.pos = 0
		in.fail(fmt.Errorf("it begins with %08x, not as a transaction log", uint32(magic)))
	}
	if v := in.int32(); in.err == nil && v != formatVersion {
		in.fail(fmt.Errorf("format version %d, want %d", v, formatVersion))
	}
	in.int64() // dbid
	if in.err != nil {
		return nil, fmt.Errorf("read transaction log: %w", in.err)
	}
	return l, nil
}

// End is how the log ends, once Next has returned io.EOF.
func (l *LogReader) End() End { return l.end }

// Next reads the next transaction into t, which stays good until the following
// call. It returns io.EOF at the end, however that came about (End tells), and a
// *DamageError for a whole record that is not what was written.
func (l *LogReader) Next(t *Txn) error {
	if l.err != nil {
		return l.err
	}
	if l.end != EndOpen {
		return io.EOF
	}
	at := l.in.offset()
	b, err := l.record()
	if l.end != EndOpen {
		return io.EOF
	}
	if err == nil {
		err = decodeTxn(b, t)
	}
	if err != nil {
		l.err = l.damage(at, err)
		return l.err
	}
	l.last, l.txns = t.Zxid, l.txns+1
	return nil
}

func (l *LogReader) damage(at int64, err error) error {
	if l.in.err != nil && !errors.As(l.in.err, new(*DamageError)) {
		return fmt.Errorf("read transaction log: %w", err) // of the disk
	}
	saved := lastOfNoTxns
	if l.txns > 0 {
		saved = fmt.Sprintf("the %d transactions before that place, to zxid %s, are whole", l.txns, l.last)
	}
	return fmt.Errorf("read transaction log: %w", &DamageError{Offset: at, Err: err, Saved: saved})
}

// record returns the bytes of the next transaction, or sets end. ZooKeeper:
// FileTxnLog.FileTxnIterator.next.
func (l *LogReader) record() ([]byte, error) {
	in := l.in
	if !in.fill(1) && in.err == nil {
		l.end = EndFile
		return nil, nil
	}
	sum := in.int64()
	b := in.buffer()
	if in.err == nil && len(b) == 0 {
		return nil, l.ends(EndPadded)
	}
	// The checksum before the next byte is taken, which may move the buffer.
	got := int64(adler32.Checksum(b))
	if in.err == nil && in.pos == len(in.buf) {
		b = append([]byte(nil), b...)
	}
	tail := in.take(1)
	switch {
	case errors.Is(in.err, errCut):
		in.err, l.end = nil, EndCut
		return nil, nil
	case in.err != nil:
		return nil, in.err
	case tail[0] != endOfRecord:
		return nil, l.ends(EndCut) // its end had not reached the disk
	case got != sum:
		return nil, fmt.Errorf("%w of a transaction: 0x%x, want 0x%x", errSeal, got, sum)
	}
	return b, nil
}

// ends ends the log, if nothing but padding follows.
//
// Differs from ZooKeeper, which looks no further: it takes a hole in the middle of a
// file for its end and goes on without the rest.
func (l *LogReader) ends(how End) error {
	in := l.in
	for in.fill(1) {
		for _, c := range in.take(len(in.buf) - in.pos) {
			if c != 0 {
				return errHole
			}
		}
	}
	if in.err != nil {
		return in.err
	}
	l.end = how
	return nil
}

// LogWriter writes a transaction log.
type LogWriter struct {
	w   io.Writer
	buf []byte
}

// NewLogWriter writes the head. The caller syncs and closes w, whose name is LogName of the first transaction.
func NewLogWriter(w io.Writer) (*LogWriter, error) {
	b := wire.AppendInt32(nil, logMagic)
	b = wire.AppendInt32(b, formatVersion)
	b = wire.AppendInt64(b, 0) // dbid
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("write transaction log: %w", err)
	}
	return &LogWriter{w: w}, nil
}

// Append writes one transaction, at once.
func (l *LogWriter) Append(t *Txn) error {
	const head = 8 + 4
	b := append(l.buf[:0], make([]byte, head)...)
	b, err := appendTxn(b, t)
	if err != nil {
		return fmt.Errorf("write transaction log: %w", err)
	}
	binary.BigEndian.PutUint64(b, uint64(adler32.Checksum(b[head:])))
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-head))
	l.buf = append(b, endOfRecord)
	if _, err := l.w.Write(l.buf); err != nil {
		return fmt.Errorf("write transaction log: %w", err)
	}
	return nil
}
