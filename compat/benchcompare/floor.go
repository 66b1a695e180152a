package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"holt/compat/ratio"
	"holt/wire"
)

// The floor is what a server costs that does nothing but answer: it reads frames and writes
// replies of the right size, as many at a time as have arrived. What a real server costs more
// is its own doing.

// floorFlag makes this program be that server.
const floorFlag = "-floor-server"

// serveFloor listens on a port of its own choice, prints its address and answers until it is
// killed.
func serveFloor() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			answer(c) // until the client leaves, however it does
		}()
	}
}

// answer shakes hands and then gives every request the reply that a getData of 100 bytes has.
func answer(c net.Conn) error {
	frames := wire.NewFrameReader(c, wire.MaxFrameDefault)
	if _, err := frames.Next(); err != nil {
		return err
	}
	b, mark := wire.BeginFrame(nil)
	hello := wire.ConnectResponse{TimeoutMillis: 30000, SessionID: 1, Passwd: make([]byte, wire.PasswdSize), HasReadOnly: true}
	out := wire.EndFrame(hello.AppendTo(b), mark)
	node := wire.GetDataResponse{Data: make([]byte, 100)}
	for {
		if !frames.Buffered() {
			if _, err := c.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		payload, err := frames.Next()
		if err != nil {
			return err
		}
		var request wire.RequestHeader
		request.Decode(wire.NewDecoder(payload))
		h := wire.ReplyHeader{Xid: request.Xid, Zxid: 1}
		out, mark = wire.BeginFrame(out)
		out = wire.EndFrame(node.AppendTo(h.AppendTo(out)), mark)
	}
}

// floor is the cost of such a server under one load.
type floor struct {
	title string
	cpu   float64 // µs per operation
}

// measureFloor runs the loads of reads against a floor server.
func (c *comparison) measureFloor(ctx context.Context) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, floorFlag)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		kerr := cmd.Process.Kill()
		cmd.Wait() // killed, so its status says nothing
		err = errors.Join(err, kerr)
	}()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("start floor server: %w", err)
	}
	for _, l := range loads() {
		if l.args[0] != "get" || !c.Selected(l.name) {
			continue
		}
		var costs []float64
		for range c.Rounds {
			// Nodes need not be deleted where there are none.
			args := append(append(l.args, "--keep"), timed(c.Scaled(rewarm), c.Scaled(measured))...)
			r, err := c.generator.runAt(ctx, []string{strings.TrimSpace(addr)}, []int{cmd.Process.Pid}, args...)
			if err != nil {
				return err
			}
			costs = append(costs, r.Server.CPUPerOp)
		}
		c.floors = append(c.floors, floor{l.title, ratio.Median(costs)})
		ratio.Progress("%s: a server that only answers: %.2f µs CPU", l.title, ratio.Median(costs))
	}
	return nil
}

// floorText says what Holt costs above the floor, load by load.
func (c *comparison) floorText() string {
	var b strings.Builder
	for _, f := range c.floors {
		for _, r := range c.table.Rows {
			if r.Load == f.title && r.Unit == "µs" {
				fmt.Fprintf(&b, "A server that only answers costs %.2f µs at %q; Holt costs %.2f µs.\n", f.cpu, f.title, r.Holt)
			}
		}
	}
	return b.String()
}
