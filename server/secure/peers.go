package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Peers puts mutual TLS on the connections between members.
//
//	sslQuorum  portUnification   dials      accepts
//	false      false             plaintext  plaintext   (no Peers needed)
//	false      true              plaintext  both
//	true       true              TLS        both
//	true       false             TLS        TLS
//
// An ensemble is switched over from the first line to the last, one line at a
// time and one member after the other, without a pause.
type Peers struct {
	config     *tls.Config
	source     *Source
	complaints *Complaints
	dials      bool // TLS
	plain      bool // is accepted too
}

// PeersOptions are the two switches, and where refused peers are told of.
type PeersOptions struct {
	Dial       bool // by TLS [sslQuorum]
	AcceptBoth bool // [portUnification]
	Logger     *zap.Logger
}

// NewPeers uses the material of source, which stays the caller's.
func NewPeers(source *Source, o PeersOptions) (*Peers, error) {
	config, err := source.Server()
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if subject := source.unaskable(); subject != "" {
		o.Logger.Warn("members that check revocation as this one does refuse this one: its certificate names no CRL and no OCSP responder",
			zap.String("subject", subject), zap.String("remedy", "issue it anew with a CRL distribution point"))
	}
	return &Peers{config: config, source: source, complaints: NewComplaints(o.Logger), dials: o.Dial, plain: o.AcceptBoth || !o.Dial}, nil
}

// Dial connects by dial and, if that is switched on, makes the handshake. The
// connection ends with ctx until then.
func (p *Peers) Dial(ctx context.Context, addr string, dial func(context.Context, string) (net.Conn, error)) (net.Conn, error) {
	nc, err := dial(ctx, addr)
	if err != nil || !p.dials {
		return nc, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	config := p.source.ClientContext(ctx, host)
	config.GetClientCertificate = showAnyway(config.Certificates)
	c := &dialed{Conn: Client(nc, config), peers: p}
	if err := c.HandshakeContext(ctx); err != nil {
		if ctx.Err() == nil {
			p.refused("connection to peer failed: TLS handshake", nc.RemoteAddr(), err)
		}
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// showAnyway has a peer shown the certificate that suits it, and the first one if none does. crypto/tls would show
// none then, and the peer would say that there is none, instead of whose it is.
func showAnyway(pairs []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		for i := range pairs {
			if asked.SupportsCertificate(&pairs[i]) == nil {
				return &pairs[i], nil
			}
		}
		return &pairs[0], nil // NewPeers wants one
	}
}

func (p *Peers) refused(message string, remote net.Addr, err error) {
	p.complaints.Handshake(message, remote, err)
}

// dialed is the dialler's end. With TLS 1.3 the handshake ends here before the
// other side has judged this side's certificate: the refusal comes with the first
// bytes that are read.
type dialed struct {
	*Conn
	peers *Peers
	heard bool // something was read; the reader's
}

func (d *dialed) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if n > 0 {
		d.heard = true
	}
	var op *net.OpError
	if err != nil && !d.heard && errors.As(err, &op) && op.Op == "remote error" {
		d.peers.refused("connection to peer failed: refused", d.RemoteAddr(), err)
	}
	return n, err
}

// Listen wraps a listener for members.
func (p *Peers) Listen(l net.Listener) net.Listener { return &peerListener{l, p} }

type peerListener struct {
	net.Listener
	peers *Peers
}

func (l *peerListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &accepted{Conn: nc, peers: l.peers}, nil
}

// accepted is a member's connection to this one. What it is, its first bytes
// tell, which the first Read waits for: accepting must not wait for one peer.
// Reads come from one goroutine at a time, and before the first write; Close may come
// from another.
type accepted struct {
	net.Conn // the socket
	peers    *Peers
	started  bool // the reader's

	mu     sync.Mutex
	inner  net.Conn // what is read from and written to once the kind is known
	closed bool
}

func (a *accepted) Read(b []byte) (int, error) {
	if !a.started {
		if err := a.start(); err != nil {
			return 0, err
		}
		a.started = true
	}
	return a.inner.Read(b)
}

func (a *accepted) Write(b []byte) (int, error) {
	a.mu.Lock()
	inner := a.inner
	a.mu.Unlock()
	if inner == nil {
		return 0, errors.New("write before the peer's first bytes")
	}
	return inner.Write(b)
}

func (a *accepted) Close() error {
	a.mu.Lock()
	inner := a.inner
	a.closed = true
	a.mu.Unlock()
	if inner != nil {
		return inner.Close()
	}
	return a.Conn.Close()
}

// start finds out whether the peer uses TLS and shakes hands. The caller has set
// a deadline, which the first bytes may not even use up.
func (a *accepted) start() error {
	var first [4]byte
	detect := time.AfterFunc(a.peers.source.settings.Detect(), func() { a.Conn.Close() })
	_, err := io.ReadFull(a.Conn, first[:])
	detect.Stop()
	if err != nil {
		return err // a port check, or a peer that went away
	}
	hello := Hello(first)
	if !hello && !a.peers.plain {
		a.peers.complaints.Tell("peer refused", a.RemoteAddr(), "it does not use TLS",
			"set sslQuorum=true on it; while an ensemble is switched over, portUnification=true on all members")
		return errors.New("the peer does not use TLS")
	}
	if !hello {
		return a.become(newRawConn(a.Conn, first[:]))
	}
	c := Server(a.Conn, first[:], a.peers.config)
	if err := a.become(c); err != nil {
		return err
	}
	if err := c.Handshake(); err != nil {
		if !strings.Contains(err.Error(), net.ErrClosed.Error()) {
			a.peers.refused("peer refused: TLS handshake", a.RemoteAddr(), err)
		}
		return err
	}
	return nil
}

func (a *accepted) become(inner net.Conn) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return net.ErrClosed
	}
	a.inner = inner
	return nil
}
