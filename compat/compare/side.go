package compare

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"holt/wire"
)

// Side is one of the servers that are compared.
type Side struct {
	Name string
	// Dial opens a connection to a member. Of an ensemble these are called leader,
	// follower and follower2; any other name is a client's that does not care, and
	// decides for one of them. "" is the member that is asked four-letter words.
	Dial func(ctx context.Context, member string) (net.Conn, error)
	// Secure is how clients come by TLS; nil if the server has none.
	Secure *Secure
	// Sync has every turn end with a sync before the ping, as it must if Dial leads to
	// several members. Both sides of a Pair have to agree in this.
	Sync bool
	// Lose ends members of an ensemble, by those names, so many that the rest is no
	// quorum, and returns when each of the rest serves clients that only read.
	Lose func(ctx context.Context, members ...string) error
	// Patience is how long an answer is waited for, and a fifth of it how long the end of
	// a connection; 0 means five seconds. What does come does not wait for it.
	Patience time.Duration
}

const (
	dialTimeout = 5 * time.Second
	settle      = 20 * time.Millisecond // what a server counts of its last replies it has counted by then
)

func (s *Side) answerTimeout() time.Duration {
	if s.Patience > 0 {
		return s.Patience
	}
	return 5 * time.Second
}

// awaitReadOnly waits until a member says that it serves clients that only read.
func (s *Side) awaitReadOnly(ctx context.Context, member string) error {
	ctx, cancel := context.WithTimeout(ctx, readOnlyPatience)
	defer cancel()
	for {
		text, err := s.word(ctx, member, "isro", via{})
		if err == nil && text == "ro" && s.servesReadOnly(ctx, member) {
			return nil
		}
		if err := sleep(ctx, 10*settle); err != nil {
			return fmt.Errorf("%s: %s does not become read-only: %w", s.Name, member, err)
		}
	}
}

// servesReadOnly tells whether a member answers srvr as one that is read-only: the
// original says ro before it takes clients.
func (s *Side) servesReadOnly(ctx context.Context, member string) bool {
	text, err := s.word(ctx, member, "srvr", via{})
	return err == nil && strings.Contains(text, "Mode: read-only")
}

// readOnlyPatience is how long a member may look for the others before.
const readOnlyPatience = 30 * time.Second

// frameMax is the largest frame a client takes; the original bounds its replies by nothing.
const frameMax = 64 << 20

// Run is a script under way at one side. It is for one goroutine.
type Run struct {
	side    *Side
	ctx     context.Context
	canon   *Canon
	clients map[string]*client
	names   []string // of clients, in the order of their first step
	open    []ticket // sessions that were opened, to be closed at the end
	out     Transcript
	turn    int
	arena   []byte // frames are cut from it
	sortAll bool   // events of equal zxid have no order: sessions may have expired
	sortAt  int64  // events of this canonical zxid have no order: a session was closed
}

// ticket is what it takes to take up a session.
type ticket struct {
	id     int64
	passwd []byte
}

// Start begins a script. The caller must Close the Run.
func (s *Side) Start(ctx context.Context) (*Run, error) {
	base, err := s.lastZxid(ctx)
	if err != nil {
		return nil, err
	}
	return &Run{side: s, ctx: ctx, canon: newCanon(base, time.Now()), clients: map[string]*client{}}, nil
}

// Steps runs further steps and returns what the clients saw. An error is of this side as a
// whole: it could not be reached.
func (r *Run) Steps(script Script) (Transcript, error) {
	r.out = nil
	for _, turn := range script.turns() {
		if err := r.runTurn(turn); err != nil {
			return r.out, fmt.Errorf("%s: turn %d (%s): %w", r.side.Name, r.turn, turn[0].String(), err)
		}
		r.turn++
	}
	return r.out, nil
}

// Close ends the script: sessions that it left open are closed.
func (r *Run) Close() error {
	err := r.closeSessions()
	r.disconnect()
	return err
}

// Run runs a whole script.
func (s *Side) Run(ctx context.Context, script Script) (Transcript, error) {
	r, err := s.Start(ctx)
	if err != nil {
		return nil, err
	}
	t, err := r.Steps(script)
	return t, errors.Join(err, r.Close())
}

// lastZxid asks for the zxid of the last transaction. Of an ensemble, the member that sessions were closed at may
// know it before the leader, and the original's followers know none before the first.
func (s *Side) lastZxid(ctx context.Context) (int64, error) {
	zxid, err := s.lastZxidAt(ctx, "")
	if err != nil || !s.Sync {
		return zxid, err
	}
	leaders, err := s.lastZxidAt(ctx, "leader")
	return max(zxid, leaders), err
}

func (s *Side) lastZxidAt(ctx context.Context, member string) (int64, error) {
	text, err := s.word(ctx, member, "srvr", via{})
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(text, "\nZxid: 0x")
	line, _, _ := strings.Cut(rest, "\n")
	zxid, err := strconv.ParseInt(line, 16, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%s: no zxid in the answer to srvr: %q", s.Name, text)
	}
	return zxid, nil
}

// word asks a member a four-letter word and returns the answer, "" if the connection was closed without
// one. After it, the word may carry further bytes.
func (s *Side) word(ctx context.Context, member, word string, v via) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := s.open(ctx, member, v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Name, err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(s.answerTimeout())); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return "", fmt.Errorf("%s: send %s: %w", s.Name, word, err)
	}
	// An error is no answer, as an end without one is: the server took the word for a length.
	b, err := io.ReadAll(c)
	if len(b) == 0 && isAlert(err) {
		return "", errNoHandshake
	}
	return string(b), nil
}

// runTurn runs the steps of one turn, and ends it.
func (r *Run) runTurn(steps Script) error {
	first := &steps[0]
	mark := len(r.out)
	r.sortAll, r.sortAt = first.Action == ActWait, 0
	if err := r.act(steps); err != nil {
		return err
	}
	quiet := true
	for i := range steps {
		quiet = quiet && steps[i].quiet()
	}
	if !quiet {
		r.barrier(first.Client)
	}
	r.sortEvents(r.out[mark:])
	return nil
}

func (r *Run) act(steps Script) error {
	first := &steps[0]
	switch first.Action {
	case ActWait:
		return sleep(r.ctx, first.Wait)
	case ActWord:
		if err := sleep(r.ctx, settle); err != nil {
			return err
		}
		text, err := r.side.word(r.ctx, first.At, first.Word, first.Via)
		if errors.Is(err, errNoHandshake) {
			r.record(Frame{Kind: Refused})
			return nil
		}
		if err != nil {
			return err
		}
		if text == "" && first.Word != "hash" {
			r.record(Frame{Kind: Closed})
			return nil
		}
		r.record(Frame{Kind: Text, Data: []byte(r.canon.word(first.Word, text))})
		return nil
	case ActConnect:
		return r.connect(first)
	}
	cl := r.clients[first.Client]
	if cl == nil || cl.conn == nil {
		r.record(Frame{Client: first.Client, Kind: NotSent})
		return nil
	}
	switch first.Action {
	case ActDrop:
		cl.close()
	case ActTree:
		r.tree(cl, first.path())
	case ActRemove:
		r.remove(cl, first.path())
	default:
		if first.fragile() {
			r.single(cl, first)
		} else {
			r.batch(cl, steps)
		}
	}
	return nil
}

// record appends a frame to the transcript.
func (r *Run) record(f Frame) {
	f.Turn = r.turn
	r.out = append(r.out, f)
}

// copyOf returns a copy of b that stays.
func (r *Run) copyOf(b []byte) []byte {
	if cap(r.arena)-len(r.arena) < len(b) {
		r.arena = make([]byte, 0, max(64<<10, len(b)))
	}
	start := len(r.arena)
	r.arena = append(r.arena, b...)
	return r.arena[start:len(r.arena):len(r.arena)]
}

// barrier sends a ping on every connection but that of except and waits for the answers: what
// the turn caused has then arrived.
func (r *Run) barrier(except string) {
	for _, name := range r.names {
		if cl := r.clients[name]; name != except && cl.conn != nil {
			r.sendEnd(cl)
		}
	}
	for _, name := range r.names {
		if cl := r.clients[name]; name != except && cl.conn != nil {
			r.drain(cl)
		}
	}
}

// sendEnd sends the ping that ends a turn for cl.
func (r *Run) sendEnd(cl *client) {
	cl.out = cl.out[:0]
	if r.side.Sync {
		cl.request(&Step{Code: wire.OpSync, Raw: []byte{0, 0, 0, 1, '/'}, Cut: -1}, r.canon, true)
	}
	cl.ping()
	cl.flush()
}

// sortEvents sorts, within frames, what has no order: the events of a transaction that
// ended a session, which removes its ephemeral nodes in the order of a hash set.
func (r *Run) sortEvents(frames Transcript) {
	zxid := func(f *Frame) int64 {
		if f.Kind != Event || len(f.Data) < 12 {
			return 0
		}
		return int64(binary.BigEndian.Uint64(f.Data[4:]))
	}
	for i := 0; i < len(frames); {
		z, j := zxid(&frames[i]), i+1
		for j < len(frames) && frames[j].Client == frames[i].Client && zxid(&frames[j]) == z {
			j++
		}
		if z != 0 && (r.sortAll || z == r.sortAt) {
			slices.SortStableFunc(frames[i:j], func(x, y Frame) int { return slices.Compare(x.Data, y.Data) })
		}
		i = j
	}
}

// sleep waits d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
