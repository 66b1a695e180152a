package server

import (
	"encoding/binary"
	"fmt"

	"go.uber.org/zap"

	"holt/server/apply"
)

// runSender moves commands to the leader, while that is another member, until
// close.
func (p *pipeline) runSender() {
	var batch [][]byte
	for p.waitFor(&p.sendWake, p.toSendLocked) {
		batch = p.sendSome(batch)
	}
}

func (p *pipeline) toSendLocked() bool {
	return p.leader != 0 && p.leader != p.srv.cfg.MemberID && p.pendingLocked()
}

// sendSome sends a message's worth to the leader, if there is something to
// send. batch is memory to be used again.
func (p *pipeline) sendSome(batch [][]byte) [][]byte {
	p.mu.Lock()
	if !p.toSendLocked() {
		p.mu.Unlock()
		return batch
	}
	leader, size := p.leader, 0
	batch, size = p.takeLocked(batch[:0], messageBytesMax)
	p.mu.Unlock()
	p.send(leader, batch, size)
	clear(batch)
	return batch
}

func (p *pipeline) send(leader uint64, batch [][]byte, size int) {
	msg := make([]byte, 1, 1+size+binary.MaxVarintLen32*len(batch))
	msg[0] = byte(messageCommands)
	for _, b := range batch {
		msg = binary.AppendUvarint(msg, uint64(len(b)))
		msg = append(msg, b...)
	}
	if err := p.srv.peers.Send(leader, msg); err != nil {
		p.mu.Lock()
		p.unsent = true
		p.mu.Unlock()
		p.srv.log.Debug("send commands", zap.Uint64("peer", leader), zap.Error(err))
	}
}

// received takes a message of commands from another member.
func (p *pipeline) received(from uint64, msg []byte) error {
	var batch [][]byte
	for len(msg) > 0 {
		n, used := binary.Uvarint(msg)
		if used <= 0 || n > uint64(len(msg)-used) {
			return fmt.Errorf("commands from member %d: length %d of %d bytes", from, n, len(msg))
		}
		cmd := msg[used : used+int(n)]
		if err := apply.CheckCommand(cmd, from); err != nil {
			return err // of all, since those behind it would leave a gap
		}
		batch = append(batch, cmd)
		msg = msg[used+int(n):]
	}
	p.srv.observed.count(from, len(batch))
	p.add(from, batch)
	return nil
}
