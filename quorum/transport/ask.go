package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// A member that does not know its place yet, or nobody who leads, asks others at the addresses it was
// configured with; and a state machine may have a question for another: a connection for one question
// and one answer, each a frame.

// askBytesMax bounds both.
const askBytesMax = 1 << 20

// Ask puts a question to a member that need not be a peer. What the answer
// means is the Handlers' business. That the member refuses this one is logged, too, once: a member that has no peers yet
// does nothing but ask.
func (t *Transport) Ask(ctx context.Context, id uint64, addr string, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	p := &peer{t: t, id: id, addr: addr, ctx: ctx}
	conn, err := p.dial(laneAsk)
	if err != nil {
		t.tell(id, err)
		return nil, err
	}
	defer conn.Close() // what it was for is done
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	return exchange(conn, question)
}

func exchange(conn net.Conn, question []byte) ([]byte, error) {
	if err := writeOne(conn, question); err != nil {
		return nil, err
	}
	return readOne(conn)
}

func writeOne(conn net.Conn, body []byte) error {
	b, mark := beginFrame(nil)
	b = append(b, body...)
	endFrame(b, mark)
	_, err := conn.Write(b)
	return err
}

func readOne(conn net.Conn) ([]byte, error) {
	body, err := readFrame(bufio.NewReader(conn))
	if err == nil && len(body) > askBytesMax {
		err = fmt.Errorf("%d bytes: %w", len(body), errMalformed)
	}
	return body, err
}

// answerAsk serves one question.
func (t *Transport) answerAsk(conn net.Conn, h hello) error {
	err := conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if err != nil {
		return err
	}
	question, err := readOne(conn)
	if err != nil {
		return err
	}
	answer := t.cfg.Handler.Asked(h.from, h.store, question)
	if answer == nil {
		return errors.New("no answer")
	}
	return writeOne(conn, answer)
}

// Disconnect ends the connections that come from members, so that they have to introduce
// themselves again.
func (t *Transport) Disconnect(ids []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, in := range t.incoming {
		for _, id := range ids {
			if key.from == id {
				in.conn.Close()
			}
		}
	}
}

// Knows reports whether a member is among the peers.
func (t *Transport) Knows(id uint64) bool { return t.peer(id) != nil }
