package transport

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Raft's messages are encoded by hand: each field of the generated type is a
// pointer, so that the protobuf library allocates for each field it reads. Here a
// message is one allocation, and all entries of a message are two more.
//
//	type(1) flags(1) to from term logTerm index commit vote rejectHint (uvarints)
//	[length context] [count {type(1) term index length data}...] [length snapshot]
const (
	flagReject = 1 << iota
	flagContext
	flagEntries
	flagSnapshot
	flagsKnown = 1<<iota - 1
)

var errMalformed = errors.New("malformed message")

// AppendMessage appends the encoding of m.
func AppendMessage(b []byte, m *raftpb.Message) ([]byte, error) {
	flags := byte(0)
	set := func(f byte, on bool) {
		if on {
			flags |= f
		}
	}
	set(flagReject, m.GetReject())
	set(flagContext, len(m.GetContext()) > 0)
	set(flagEntries, len(m.GetEntries()) > 0)
	set(flagSnapshot, m.GetSnapshot() != nil)
	b = append(b, byte(m.GetType()), flags)
	for _, v := range [...]uint64{
		m.GetTo(), m.GetFrom(), m.GetTerm(), m.GetLogTerm(), m.GetIndex(), m.GetCommit(), m.GetVote(), m.GetRejectHint(),
	} {
		b = binary.AppendUvarint(b, v)
	}
	if flags&flagContext != 0 {
		b = binary.AppendUvarint(b, uint64(len(m.GetContext())))
		b = append(b, m.GetContext()...)
	}
	if flags&flagEntries != 0 {
		b = appendEntries(b, m.GetEntries())
	}
	if flags&flagSnapshot != 0 {
		s, err := proto.Marshal(m.GetSnapshot())
		if err != nil {
			return nil, fmt.Errorf("encode snapshot: %w", err)
		}
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b, nil
}

func appendEntries(b []byte, ents []*raftpb.Entry) []byte {
	b = binary.AppendUvarint(b, uint64(len(ents)))
	for _, e := range ents {
		b = append(b, byte(e.GetType()))
		b = binary.AppendUvarint(b, e.GetTerm())
		b = binary.AppendUvarint(b, e.GetIndex())
		b = binary.AppendUvarint(b, uint64(len(e.GetData())))
		b = append(b, e.GetData()...)
	}
	return b
}

// messageSize is at least the length of m's encoding without a snapshot.
func messageSize(m *raftpb.Message) int {
	n := 2 + 10*8 + 10 + len(m.GetContext()) + 10
	for _, e := range m.GetEntries() {
		n += 1 + 10*3 + len(e.GetData())
	}
	return n
}

// decoded is a message with room for what its fields point to.
type decoded struct {
	m      raftpb.Message
	typ    raftpb.MessageType
	nums   [8]uint64
	reject bool
}

type decodedEntry struct {
	e           raftpb.Entry
	typ         raftpb.EntryType
	term, index uint64
}

// DecodeMessage decodes all of b, to which the message's entries and context
// then refer.
func DecodeMessage(b []byte) (*raftpb.Message, error) {
	r := reader{b: b}
	d := &decoded{}
	d.typ = raftpb.MessageType(r.byte())
	flags := r.byte()
	for i := range d.nums {
		d.nums[i] = r.uvarint()
	}
	m := &d.m
	m.Type = &d.typ
	m.To, m.From, m.Term, m.LogTerm = &d.nums[0], &d.nums[1], &d.nums[2], &d.nums[3]
	m.Index, m.Commit, m.Vote, m.RejectHint = &d.nums[4], &d.nums[5], &d.nums[6], &d.nums[7]
	if flags&flagReject != 0 {
		d.reject = true
		m.Reject = &d.reject
	}
	if flags&flagContext != 0 {
		m.Context = r.bytes()
	}
	if flags&flagEntries != 0 {
		m.Entries = r.entries()
	}
	if flags&flagSnapshot != 0 {
		m.Snapshot = &raftpb.Snapshot{}
		if err := proto.Unmarshal(r.bytes(), m.Snapshot); err != nil {
			r.bad = true
		}
	}
	if _, known := raftpb.MessageType_name[int32(d.typ)]; !known || flags&^flagsKnown != 0 || r.bad || len(r.b) > 0 {
		return nil, errMalformed
	}
	return m, nil
}

// reader remembers that something was wrong.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

const entryBytesMin = 4

func (r *reader) entries() []*raftpb.Entry {
	n := r.uvarint()
	if n > uint64(len(r.b)/entryBytesMin) {
		r.bad, r.b = true, nil
		return nil
	}
	block := make([]decodedEntry, n)
	ents := make([]*raftpb.Entry, n)
	for i := range block {
		d := &block[i]
		d.typ = raftpb.EntryType(r.byte())
		d.term, d.index = r.uvarint(), r.uvarint()
		d.e.Type, d.e.Term, d.e.Index = &d.typ, &d.term, &d.index
		if data := r.bytes(); len(data) > 0 {
			d.e.Data = data
		}
		if d.typ > raftpb.EntryConfChangeV2 {
			r.bad = true
		}
		ents[i] = &d.e
	}
	return ents
}
