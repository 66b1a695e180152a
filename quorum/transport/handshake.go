package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// lane is what a connection is for.
type lane byte

const (
	laneRaft lane = iota
	laneApp
	laneSnapshot
	laneAsk
	lanes
)

const (
	helloMagic   = "HOLT"
	helloVersion = 1
	helloBytes   = len(helloMagic) + 2 + 8 + 8 + 16 + 4
)

type hello struct {
	lane     lane
	from, to uint64
	// store identifies the sender's log, see storage.Identity.
	store [16]byte
}

func (h hello) append(b []byte) []byte {
	mark := len(b)
	b = append(b, helloMagic...)
	b = append(b, helloVersion, byte(h.lane))
	b = binary.BigEndian.AppendUint64(b, h.from)
	b = binary.BigEndian.AppendUint64(b, h.to)
	b = append(b, h.store[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[mark:], castagnoli))
}

func readHello(r io.Reader) (hello, error) {
	var b [helloBytes]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return hello{}, err
	}
	if string(b[:4]) != helloMagic {
		return hello{}, errors.New("not a member's connection")
	}
	if b[4] != helloVersion {
		return hello{}, fmt.Errorf("peer speaks version %d, this member %d", b[4], helloVersion)
	}
	if crc32.Checksum(b[:helloBytes-4], castagnoli) != binary.BigEndian.Uint32(b[helloBytes-4:]) {
		return hello{}, errDamaged
	}
	h := hello{lane: lane(b[5]), from: binary.BigEndian.Uint64(b[6:]), to: binary.BigEndian.Uint64(b[14:])}
	copy(h.store[:], b[22:])
	if h.lane >= lanes || h.from == 0 {
		return hello{}, errMalformed
	}
	return h, nil
}

// RemovedError is a Handler's word to a peer that it was removed by the entry at Index.
type RemovedError struct{ Index uint64 }

func (e *RemovedError) Error() string { return "you were removed from the ensemble" }

// ErrNotNow is wrapped by a Handler's word to a peer that it is to come again later, and that nothing is
// wrong.
var ErrNotNow = errors.New("not now")

// The answers to a hello. Members that do not know notNow read it as refused.
const (
	answerAccepted byte = iota
	answerRefused       // length of a text (2 bytes), the text
	answerRemoved       // index (8 bytes)
	answerNotNow        // as answerRefused
)

// appendAnswer accepts a connection (nil) or says why not.
func appendAnswer(b []byte, refused error) []byte {
	if refused == nil {
		return append(b, answerAccepted)
	}
	if removed := (*RemovedError)(nil); errors.As(refused, &removed) {
		return binary.BigEndian.AppendUint64(append(b, answerRemoved), removed.Index)
	}
	text := refused.Error()
	text = text[:min(len(text), 1000)]
	answer := answerRefused
	if errors.Is(refused, ErrNotNow) {
		answer = answerNotNow
	}
	b = binary.BigEndian.AppendUint16(append(b, answer), uint16(len(text)))
	return append(b, text...)
}

// errRefused: the peer is there and does not want this connection.
var errRefused = errors.New("peer refuses")

func readAnswer(r io.Reader) error {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return err
	}
	if head[0] == answerAccepted {
		return nil
	}
	if head[0] == answerRemoved {
		var index [8]byte
		if _, err := io.ReadFull(r, index[:]); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", errRefused, &RemovedError{binary.BigEndian.Uint64(index[:])})
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return err
	}
	text := make([]byte, binary.BigEndian.Uint16(head[1:]))
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	if head[0] == answerNotNow {
		return fmt.Errorf("%w %w: %s", errRefused, ErrNotNow, text)
	}
	return fmt.Errorf("%w: %s", errRefused, text)
}
