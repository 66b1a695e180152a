package apply

import (
	"encoding/binary"
	"errors"
	"fmt"

	"holt/session"
	"holt/wire"
	"holt/znode"
)

// Saved is what a member's store holds besides the tree, for programs that read or make
// stores without running a member.
type Saved struct {
	Zxid       wire.Zxid
	Term       uint64 // of the last entry
	TimeMillis int64  // of the last entry
	Sessions   []session.Facts
	// Origin tells apart what was imported or restored from all else; zero for a state
	// that began empty. All founders of an ensemble have the same.
	Origin [OriginSize]byte
}

// OriginSize is the length of Saved.Origin.
const OriginSize = 6

// keyOrigin is the key of the record with the origin.
const keyOrigin = "o"

// ReadSaved reads it.
func ReadSaved(store Store) (Saved, error) {
	b, err := store.Record([]byte(keyState))
	if err == nil && b == nil {
		err = errors.New("there is none: no entry was ever applied")
	}
	var s state
	if err == nil {
		s, err = decodeState(b)
	}
	if err != nil {
		return Saved{}, fmt.Errorf("read state of the machine: %w", err)
	}
	saved := Saved{Zxid: s.zxid, Term: s.term, TimeMillis: s.millis}
	if saved.Origin, err = ReadOrigin(store); err != nil {
		return Saved{}, err
	}
	err = store.EachRecord([]byte(keySession), func(key, value []byte) error {
		f, err := decodeSession(key, value)
		saved.Sessions = append(saved.Sessions, f)
		return err
	})
	if err != nil {
		return Saved{}, fmt.Errorf("read sessions: %w", err)
	}
	return saved, nil
}

// ReadOrigin reads Saved.Origin alone.
func ReadOrigin(store Store) (origin [OriginSize]byte, err error) {
	b, err := store.Record([]byte(keyOrigin))
	if err == nil && b != nil && len(b) != OriginSize {
		err = fmt.Errorf("it has %d bytes", len(b))
	}
	if err != nil {
		return origin, fmt.Errorf("read origin: %w", err)
	}
	copy(origin[:], b)
	return origin, nil
}

func decodeSession(key, value []byte) (session.Facts, error) {
	if len(key) != len(keySession)+8 {
		return session.Facts{}, fmt.Errorf("key %x", key)
	}
	return session.DecodeFacts(wire.SessionID(binary.BigEndian.Uint64(key[len(keySession):])), value)
}

// FoundingRecords are the records of a state that a new ensemble begins with: no entry of its
// log was applied yet. Its first leader begins the epoch after that of s.Zxid. Term is ignored.
func FoundingRecords(s Saved) []znode.Record {
	first := state{zxid: s.Zxid, millis: s.TimeMillis}
	records := []znode.Record{{Key: []byte(keyState), Value: first.appendTo(nil)}}
	if s.Origin != ([OriginSize]byte{}) {
		records = append(records, znode.Record{Key: []byte(keyOrigin), Value: s.Origin[:]})
	}
	for i := range s.Sessions {
		f := &s.Sessions[i]
		records = append(records, znode.Record{Key: SessionKey(f.ID), Value: f.AppendTo(nil)})
	}
	return records
}

// DisownRecords remove from a store what is true of the ensemble it comes from alone: that
// /zookeeper/config says who the members are, and what is staged of a restore.
func DisownRecords(store Store) ([]znode.Record, error) {
	staged, _, err := loadRestore(store)
	if err != nil {
		return nil, fmt.Errorf("read staging: %w", err)
	}
	records := []znode.Record{{Key: []byte(keyMembers)}, {Key: []byte(keyStaging)}}
	for n := range staged.Chunks {
		records = append(records, znode.Record{Key: chunkKey(n)})
	}
	return records, nil
}

// SessionKey is the key of a session's record.
func SessionKey(id wire.SessionID) []byte {
	return binary.BigEndian.AppendUint64([]byte(keySession), uint64(id))
}
