package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// formatVersion is the version of this package's records. A log with another
// one is refused.
const formatVersion = 1

var (
	keyIdentity = []byte("i")
	keyHard     = []byte("h")
	keyBegin    = []byte("b")
	keyInstall  = []byte("s")
	keySeq      = []byte("w")
)

const (
	prefixConf  = 'c'
	prefixEntry = 'e'
	prefixPeer  = 'p'
	indexKeyLen = 1 + 8
	entryHeader = 4 + 1 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errShort = errors.New("record is too short")

func indexKey(prefix byte, index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, index)
}

func keyIndex(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// entryCRC is the checksum of an entry's record after the entry with checksum
// prev. The index is covered although the key holds it: a record found under
// another key must not pass.
func entryCRC(prev uint32, index uint64, body []byte) uint32 {
	var head [12]byte
	binary.BigEndian.PutUint32(head[:], prev)
	binary.BigEndian.PutUint64(head[4:], index)
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, body)
}

// putEntry writes the record of e into dst, which has room for exactly
// entrySize(e) bytes, and returns its checksum.
func putEntry(dst []byte, prev uint32, e *raftpb.Entry) uint32 {
	dst[4] = byte(e.GetType())
	binary.BigEndian.PutUint64(dst[5:], e.GetTerm())
	copy(dst[entryHeader:], e.GetData())
	crc := entryCRC(prev, e.GetIndex(), dst[4:])
	binary.BigEndian.PutUint32(dst, crc)
	return crc
}

func entrySize(e *raftpb.Entry) int { return entryHeader + len(e.GetData()) }

// readEntry decodes the record found under index, without judging its
// checksum. The entry's data is a copy.
func readEntry(index uint64, v []byte) (*raftpb.Entry, uint32, error) {
	if len(v) < entryHeader {
		return nil, 0, fmt.Errorf("entry %d: %w", index, errShort)
	}
	typ := raftpb.EntryType(v[4])
	if typ > raftpb.EntryConfChangeV2 {
		return nil, 0, fmt.Errorf("entry %d has unknown type %d: written by a newer version", index, v[4])
	}
	e := &raftpb.Entry{
		Index: new(index),
		Term:  new(binary.BigEndian.Uint64(v[5:])),
		Type:  typ.Enum(),
	}
	if len(v) > entryHeader {
		e.Data = append([]byte(nil), v[entryHeader:]...)
	}
	return e, binary.BigEndian.Uint32(v), nil
}

// sealed appends a checksum to a small record; open checks and removes it.
func sealed(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func unsealed(what string, v []byte) ([]byte, error) {
	if len(v) < 4 {
		return nil, fmt.Errorf("%s: %w", what, errShort)
	}
	body := v[:len(v)-4]
	if got, want := crc32.Checksum(body, castagnoli), binary.BigEndian.Uint32(v[len(v)-4:]); got != want {
		return nil, fmt.Errorf("%s: checksum %08x, want %08x", what, got, want)
	}
	return body, nil
}

func encodeHard(h Hard) []byte {
	b := make([]byte, 0, 28)
	for _, v := range []uint64{h.Term, h.Vote, h.Commit} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return sealed(b)
}

func decodeHard(v []byte) (Hard, error) {
	b, err := unsealed("hard state", v)
	if err != nil {
		return Hard{}, err
	}
	if len(b) != 24 {
		return Hard{}, fmt.Errorf("hard state: %w", errShort)
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return Hard{Term: at(0), Vote: at(1), Commit: at(2)}, nil
}

func encodeBegin(g begin) []byte {
	b := binary.BigEndian.AppendUint64(nil, g.index)
	b = binary.BigEndian.AppendUint64(b, g.term)
	return sealed(binary.BigEndian.AppendUint32(b, g.crc))
}

func decodeBegin(v []byte) (begin, error) {
	b, err := unsealed("begin of log", v)
	if err != nil {
		return begin{}, err
	}
	if len(b) != 20 {
		return begin{}, fmt.Errorf("begin of log: %w", errShort)
	}
	return begin{
		index: binary.BigEndian.Uint64(b),
		term:  binary.BigEndian.Uint64(b[8:]),
		crc:   binary.BigEndian.Uint32(b[16:]),
	}, nil
}

func encodeIdentity(id Identity) []byte {
	b := binary.BigEndian.AppendUint64([]byte{formatVersion}, id.Member)
	return sealed(append(b, id.Store[:]...))
}

func decodeIdentity(v []byte) (Identity, error) {
	if len(v) > 0 && v[0] != formatVersion {
		return Identity{}, fmt.Errorf("identity: log has format %d, this version reads %d", v[0], formatVersion)
	}
	b, err := unsealed("identity", v)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{}
	if len(b) != 1+8+len(id.Store) {
		return Identity{}, fmt.Errorf("identity: %w", errShort)
	}
	id.Member = binary.BigEndian.Uint64(b[1:])
	copy(id.Store[:], b[9:])
	return id, nil
}

// A configuration's record: length of the conf state, the conf state as Raft
// encodes it, then the caller's bytes.
func encodeConf(c Conf) ([]byte, error) {
	state, err := proto.Marshal(c.State)
	if err != nil {
		return nil, fmt.Errorf("encode configuration at %d: %w", c.Index, err)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(state)))
	b = append(b, state...)
	return sealed(append(b, c.Members...)), nil
}

func decodeConf(index uint64, v []byte) (Conf, error) {
	what := fmt.Sprintf("configuration at %d", index)
	b, err := unsealed(what, v)
	if err != nil {
		return Conf{}, err
	}
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return Conf{}, fmt.Errorf("%s: %w", what, errShort)
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	c := Conf{Index: index, State: &raftpb.ConfState{}, Members: append([]byte(nil), b[n:]...)}
	if err := proto.Unmarshal(b[4:n], c.State); err != nil {
		return Conf{}, fmt.Errorf("%s: %w", what, err)
	}
	return c, nil
}

func encodeInstall(s Install) []byte {
	b := binary.BigEndian.AppendUint64(nil, s.Index)
	b = binary.BigEndian.AppendUint64(b, s.Term)
	return sealed(append(b, s.Dir...))
}

func decodeInstall(v []byte) (Install, error) {
	b, err := unsealed("pending snapshot", v)
	if err != nil {
		return Install{}, err
	}
	if len(b) < 16 {
		return Install{}, fmt.Errorf("pending snapshot: %w", errShort)
	}
	return Install{
		Index: binary.BigEndian.Uint64(b),
		Term:  binary.BigEndian.Uint64(b[8:]),
		Dir:   string(b[16:]),
	}, nil
}

func encodePeer(store [16]byte) []byte { return sealed(append([]byte(nil), store[:]...)) }

func decodePeer(v []byte) (store [16]byte, err error) {
	b, err := unsealed("peer", v)
	if err == nil && len(b) != len(store) {
		err = fmt.Errorf("peer: %w", errShort)
	}
	copy(store[:], b)
	return store, err
}

func decodeSeq(v []byte) (uint64, error) {
	b, err := unsealed("number of writes", v)
	if err == nil && len(b) != 8 {
		err = fmt.Errorf("number of writes: %w", errShort)
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}
