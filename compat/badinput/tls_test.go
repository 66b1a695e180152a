package badinput

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server/secure"
	"holt/server/secure/securetest"
	"holt/wire"
)

// secured is one server with a port for TLS, and a client's configuration for it.
type secured struct {
	member *ensemble.Member
	kind   ensemble.Kind
	client *tls.Config
}

func startSecured(t *testing.T, settings ...string) *secured {
	t.Helper()
	ca := securetest.New(t, "authority")
	source := securetest.Open(t, ca.Settings(t, "client"), secure.Options{})
	e := target.Start(t, ensemble.Config{Secure: true, Settings: append([]string{
		"ssl.keyStore.location=" + ca.KeyStore(t, securetest.Template("server")),
		"ssl.trustStore.location=" + ca.TrustStore(t), "ssl.enabledProtocols=TLSv1.2,TLSv1.3"}, settings...)})
	return &secured{e.Members()[0], target.Kind(t), source.Client("127.0.0.1")}
}

// dial makes the handshake.
func (s *secured) dial(t *testing.T) (*raw, *net.TCPConn) {
	t.Helper()
	below := dialRaw(t, s.member.SecureAddr())
	c := tls.Client(below.conn, s.client)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &raw{t: t, conn: c, in: wire.NewFrameReader(c, 64<<20)}, below.conn.(*net.TCPConn)
}

// witnesses are sessions on both ports.
func (s *secured) witnesses(t *testing.T) []witness {
	t.Helper()
	r, _ := s.dial(t)
	r.open()
	return []witness{newWitness(t, s.member), {r}}
}

func served(t *testing.T, beside []witness) {
	t.Helper()
	for _, w := range beside {
		w.served(t)
	}
}

// clientHello is what a client of TLS says first.
func clientHello(t *testing.T, c *tls.Config) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	var wg sync.WaitGroup
	wg.Go(func() { _ = tls.Client(there, c).Handshake() }) // ends when the pipe does
	defer wg.Wait()
	defer here.Close()
	var head [5]byte
	if _, err := io.ReadFull(here, head[:]); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(here, body); err != nil {
		t.Fatal(err)
	}
	return append(head[:], body...)
}

// record is one of TLS.
func record(kind byte, length int, body []byte) []byte {
	return append([]byte{kind, 3, 3, byte(length >> 8), byte(length)}, body...)
}

// handshakes are beginnings of connections to a port for TLS. The original closes all of them, too, but
// those that say too little only after the time that its TLS library allows.
func handshakes(t *testing.T, c *tls.Config) map[string][]byte {
	hello := clientHello(t, c)
	huge := []byte{1, 0xff, 0xff, 0xff} // a ClientHello of 16 MiB, in as many records as it takes
	large := record(22, 16000, append(huge, make([]byte, 16000-len(huge))...))
	for range 20 {
		large = append(large, record(22, 16000, make([]byte, 16000))...)
	}
	return map[string][]byte{
		"silence":                           nil,
		"one byte":                          hello[:1],
		"half a record header":              hello[:3],
		"half a ClientHello":                hello[:len(hello)/2],
		"a ClientHello and silence":         hello,
		"the same ClientHello twice":        append(bytes.Clone(hello), hello...),
		"a connect request in plaintext":    frame(connectRequest()),
		"a four-letter word":                []byte("ruok"),
		"HTTP":                              []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"a record of 65,535 bytes":          record(22, math.MaxUint16, make([]byte, math.MaxUint16)),
		"a record of 65,535 bytes, of none": record(22, math.MaxUint16, nil),
		"empty records":                     bytes.Repeat(record(22, 0, nil), 1000),
		"a ClientHello of 16 MiB":           large,
		"data before the handshake":         record(23, 100, make([]byte, 100)),
		"ChangeCipherSpec alone":            bytes.Repeat(record(20, 1, []byte{1}), 1000),
		"alerts alone":                      bytes.Repeat(record(21, 2, []byte{1, 90}), 1000),
		"a fatal alert":                     record(21, 2, []byte{2, 40}),
		"a kind of record that is none":     record(99, 4, []byte("none")),
		"SSL 2":                             append([]byte{0x80, 0x2e, 1, 0, 2}, make([]byte, 44)...),
		"SSL 3":                             append([]byte{22, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0}, make([]byte, 39)...),
		"a ClientHello that lies":           lie(hello),
	}
}

// lie has the length of the extensions of a ClientHello be the greatest.
func lie(hello []byte) []byte {
	b := bytes.Clone(hello)
	at := 5 + 4 + 2 + 32
	at += 1 + int(b[at])
	at += 2 + int(binary.BigEndian.Uint16(b[at:]))
	at += 1 + int(b[at])
	binary.BigEndian.PutUint16(b[at:], math.MaxUint16)
	return b
}

// closedAtLast wants the member to close the connection, and gives it the time that a handshake
// may take.
func (r *raw) closedAtLast() {
	r.t.Helper()
	began := time.Now()
	if _, err := io.Copy(io.Discard, r.conn); errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Errorf("not closed within %v", time.Since(began))
	}
}

// TestBadHandshakes says on the port for TLS what is no handshake, all of it at once.
func TestBadHandshakes(t *testing.T) {
	s := startSecured(t)
	beside := s.witnesses(t)
	check := boundedMemory(t, s.member, s.kind)
	t.Run("all", func(t *testing.T) {
		for name, said := range handshakes(t, s.client) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := dialRaw(t, s.member.SecureAddr())
				r.write(said)
				r.closedAtLast()
			})
		}
	})
	served(t, beside)
	check()
}

// TestTLSOnPlaintextPort says there what begins a handshake.
func TestTLSOnPlaintextPort(t *testing.T) {
	s := startSecured(t)
	beside := s.witnesses(t)
	hello := clientHello(t, s.client)
	for name, said := range map[string][]byte{
		"a ClientHello": hello, "half a ClientHello": hello[:len(hello)/2], "a record of 65,535 bytes": record(22, math.MaxUint16, nil),
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, s.member.Addr())
			r.write(said)
			r.closedAtLast()
			served(t, beside)
		})
	}
}

// TestBadRecordsInSession breaks a connection of TLS that has a session: below TLS, and within it.
func TestBadRecordsInSession(t *testing.T) {
	s := startSecured(t)
	beside := s.witnesses(t)
	for name, said := range map[string][]byte{
		"garbage": []byte("what is no record at all"), "a record of 65,535 bytes": record(23, math.MaxUint16, nil),
		"a record that nobody encrypted": record(23, 100, make([]byte, 100)), "a handshake in plaintext": clientHello(t, s.client),
		"an alert in plaintext": record(21, 2, []byte{2, 40}), "empty records": bytes.Repeat(record(23, 0, nil), 1000),
	} {
		t.Run("below/"+name, func(t *testing.T) {
			r, below := s.dial(t)
			r.open()
			if _, err := below.Write(said); err != nil {
				t.Fatal(err)
			}
			r.closedAtLast()
			served(t, beside)
		})
	}
	for _, tc := range framesInSession() {
		t.Run("within/"+tc.name, func(t *testing.T) {
			r, _ := s.dial(t)
			r.open()
			r.write(tc.bytes)
			if got := r.reaction(); !acceptable(s.kind, got, tc.want) {
				t.Errorf("reaction %q, want %q", got, tc.want)
			}
			served(t, beside)
		})
	}
}

// TestRenegotiation has a client of TLS 1.2 ask for a new handshake, which costs a server far more
// than the client: it must refuse.
func TestRenegotiation(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"openssl", "version"}, Package: "openssl"})
	s := startSecured(t, "ssl.clientAuth=none")
	beside := s.witnesses(t)
	cmd := exec.CommandContext(t.Context(), "timeout", "20", "openssl", "s_client", "-tls1_2", "-connect", s.member.SecureAddr())
	cmd.Stdin = &slowReader{lines: []string{"R\n", "R\n", "R\n"}}
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code == 124 || code == 0 || !strings.Contains(string(out), "RENEGOTIATING") {
		t.Errorf("openssl: %v, exit code %d\n%s", err, code, out)
	}
	served(t, beside)
}

// slowReader gives a line at a time: openssl takes R for a command at the beginning of what it
// reads, and never at the end.
type slowReader struct{ lines []string }

func (r *slowReader) Read(b []byte) (int, error) {
	time.Sleep(500 * time.Millisecond) // nothing tells that openssl is through with its handshake
	if len(r.lines) == 0 {
		return 0, io.EOF
	}
	n := copy(b, r.lines[0])
	r.lines = r.lines[1:]
	return n, nil
}

// TestManyHalfHandshakesOfTLS leaves a thousand connections at different places of their beginning,
// while others come and are served.
func TestManyHalfHandshakesOfTLS(t *testing.T) {
	const connections = 1000
	raiseFileLimit(t, 4*connections)
	s := startSecured(t)
	beside := s.witnesses(t)
	check := boundedMemory(t, s.member, s.kind)
	hello := clientHello(t, s.client)
	var half []*raw
	for i := range connections {
		r := dialRaw(t, s.member.SecureAddr())
		r.write(hello[:[]int{0, 3, len(hello) / 2, len(hello)}[i%4]])
		half = append(half, r)
		if i%100 == 0 {
			served(t, beside)
			newcomer, _ := s.dial(t)
			newcomer.open()
			newcomer.conn.Close()
		}
	}
	served(t, beside)
	deadline := time.Now().Add(3 * patience)
	for i, r := range half {
		if err := r.conn.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still open", i)
		}
	}
	served(t, beside)
	check()
}

// TestTLSClientThatNeverReads is TestClientThatNeverReads over TLS.
func TestTLSClientThatNeverReads(t *testing.T) {
	s := startSecured(t)
	beside := s.witnesses(t)
	neverRead(t, s.member, s.kind, beside, func() *raw {
		r, _ := s.dial(t)
		return r
	})
}
