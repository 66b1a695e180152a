package session

import (
	"context"
	"io"
	"strings"
	"time"
)

const (
	seekPauseMin = 100 * time.Millisecond
	seekPauseMax = time.Minute
	isroWait     = time.Second // for the answer of one server
)

// seekWritable asks the servers in turn, ever more seldom, until one has a quorum or ctx
// ends, and returns its address or "". (ClientCnxn.SendThread.pingRwServer)
func (s *Session) seekWritable(ctx context.Context) string {
	wait := seekPauseMin
	for i := 0; pause(ctx, wait); i++ {
		address := s.cfg.Servers[i%len(s.cfg.Servers)]
		if s.hasQuorum(ctx, address) {
			return address
		}
		wait = min(2*wait, seekPauseMax)
	}
	return ""
}

// hasQuorum asks a server with the four-letter word isro. No answer is a no.
func (s *Session) hasQuorum(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, isroWait)
	defer cancel()
	nc, err := s.cfg.Dial(ctx, address)
	if err != nil {
		return false
	}
	defer nc.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := nc.SetDeadline(deadline); err != nil {
			return false
		}
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if _, err := io.WriteString(nc, "isro"); err != nil {
		return false
	}
	answer, err := io.ReadAll(nc)
	return err == nil && strings.TrimSpace(string(answer)) == "rw"
}
