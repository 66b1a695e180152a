package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// peer is another member: where it is, and the lanes to it.
type peer struct {
	t      *Transport
	id     uint64
	addr   string
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	lanes  [2]*sender
}

func (t *Transport) newPeer(id uint64, addr string) *peer {
	p := &peer{t: t, id: id, addr: addr}
	p.ctx, p.cancel = context.WithCancel(t.ctx)
	for l := range p.lanes {
		s := &sender{p: p, lane: lane(l), kick: make(chan struct{}, 1), news: make(chan struct{}, 1)}
		p.lanes[l] = s
		p.wg.Go(s.run)
	}
	return p
}

func (p *peer) stop() {
	p.cancel()
	p.wg.Wait()
}

// news has the lanes that are down dial at once: what the peer does on its own
// connections tells more than their pauses.
func (p *peer) news() {
	for _, s := range p.lanes {
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// dial connects, logs this member in if it does so, and introduces it.
func (p *peer) dial(l lane) (net.Conn, error) {
	login, err := p.beginLogin()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTimeout)
	defer cancel()
	conn, err := p.t.cfg.Dial(ctx, p.addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if login != nil {
		err = logIn(conn, login)
	}
	h := hello{lane: l, from: p.t.cfg.ID, to: p.id, store: p.t.cfg.Store}
	if err == nil {
		_, err = conn.Write(h.append(nil))
	}
	if err == nil {
		err = readAnswer(conn)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// beginLogin has a time of its own: credentials may have to come from elsewhere. Nil: this member does not log in.
func (p *peer) beginLogin() (LoginSide, error) {
	cfg := p.t.cfg.Login
	if cfg == nil || cfg.Begin == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTimeout)
	defer cancel()
	side, err := cfg.Begin(ctx, p.addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errBegin, err)
	}
	return side, nil
}
