package gssapi

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	krb5 "github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"holt/sasl"
)

// skewMax is how far the clocks of client and server may be apart.
const skewMax = 5 * time.Minute

// layerNone is the only security layer offered and taken: none.
const layerNone = 1

// Acceptor is the server's side: a service that clients have tickets for.
type Acceptor struct {
	// Authorize, unless nil, says whether the principal of a good ticket is let in, and may act as the
	// authorization id that it names, "" for none. To be set before the first Begin.
	Authorize func(principal, authorizationID string) error

	principal string // service/host@REALM
	service   types.PrincipalName
	realm     string
	keys      *keytabFile
	replays   replayCache
}

// NewAcceptor makes the acceptor of the service principal, as zookeeper/host@REALM, whose keys are
// in the keytab file at path. The file is read now, and again when it has changed.
func NewAcceptor(principal, path string) (*Acceptor, error) {
	service, realm := types.ParseSPNString(principal)
	if realm == "" || len(service.NameString) != 2 {
		return nil, fmt.Errorf("principal %s is not of the form service/host@REALM", principal)
	}
	keys, err := openKeytab(path, principal)
	if err != nil {
		return nil, err
	}
	return &Acceptor{principal: principal, service: service, realm: realm, keys: keys}, nil
}

// Begin starts a conversation of two steps, or of three if the client asks for mutual
// authentication.
func (a *Acceptor) Begin() sasl.Conversation { return &acceptance{acceptor: a} }

type acceptance struct {
	acceptor *Acceptor
	stage    acceptStage
	sealing  sealing
	user     string
}

type acceptStage uint8

const (
	wantAPReq  acceptStage = iota
	wantEmpty              // the client has seen the AP-REP
	wantLayer              // it was offered the layers
	acceptOver             // done or failed
)

func (c *acceptance) User() string { return c.user }

func (c *acceptance) Step(token []byte) (answer []byte, done bool, err error) {
	stage := c.stage
	c.stage = acceptOver
	defer guard(&err)
	switch stage {
	case wantAPReq:
		return c.accept(token)
	case wantEmpty:
		if len(token) > 0 {
			return nil, false, errors.New("more than an empty token after the server's proof")
		}
		return c.offer()
	case wantLayer:
		err := c.finish(token)
		return nil, err == nil, err
	}
	return nil, false, sasl.ErrOver
}

// accept opens the client's ticket.
func (c *acceptance) accept(token []byte) ([]byte, bool, error) {
	message, err := unframe(tokenAPReq, token)
	if err != nil {
		return nil, false, err
	}
	var req messages.APReq
	if err := req.Unmarshal(message); err != nil {
		return nil, false, fmt.Errorf("AP-REQ: %w", err)
	}
	if err := c.acceptor.verify(&req); err != nil {
		return nil, false, err
	}
	if c.user, err = principalOf(&req); err != nil {
		return nil, false, err
	}
	auth := &req.Authenticator
	c.sealing = sealing{acceptor: true, key: req.Ticket.DecryptedEncPart.Key, seq: uint64(auth.SeqNumber)}
	if len(auth.SubKey.KeyValue) > 0 {
		c.sealing.key = auth.SubKey
	}
	if !strong(c.sealing.key.KeyType) || !strong(req.Ticket.DecryptedEncPart.Key.KeyType) {
		return nil, false, fmt.Errorf("a key of encryption type %d: only those of AES are known", c.sealing.key.KeyType)
	}
	if !mutual(auth.Cksum) {
		return c.offer()
	}
	reply, err := c.prove(&req)
	c.stage = wantEmpty
	return reply, false, err
}

// verify opens ticket and authenticator and sees that they belong together, are fresh and for this
// service.
func (a *Acceptor) verify(req *messages.APReq) error {
	if t := &req.Ticket; !t.SName.Equal(a.service) || t.Realm != a.realm {
		return fmt.Errorf("the ticket is for %.100s@%.100s, and this is %s", t.SName.PrincipalNameString(), t.Realm, a.principal)
	}
	keys, err := a.keys.current()
	if err != nil {
		return err
	}
	if ok, err := req.Verify(keys, skewMax, types.HostAddress{}, nil); err != nil || !ok {
		return fmt.Errorf("AP-REQ: %w", err)
	}
	if req.Authenticator.CRealm != req.Ticket.DecryptedEncPart.CRealm {
		return errors.New("AP-REQ: the authenticator names another realm than the ticket")
	}
	if !a.replays.add(req.EncryptedAuthenticator.Cipher, time.Now()) {
		return errors.New("AP-REQ: it was used before")
	}
	return nil
}

// principalOf is who the ticket is of, as name@REALM or name/host@REALM.
func principalOf(req *messages.APReq) (string, error) {
	t := &req.Ticket.DecryptedEncPart
	for _, part := range append([]string{t.CRealm}, t.CName.NameString...) {
		if strings.ContainsAny(part, "/@\\\x00") {
			return "", fmt.Errorf("the client's principal has a %q in one of its parts", part)
		}
	}
	return t.CName.PrincipalNameString() + "@" + t.CRealm, nil
}

// mutual reports whether the flags in an authenticator's checksum (RFC 4121, 4.1.1) ask for it.
func mutual(c types.Checksum) bool {
	const flagsAt = 20
	return c.CksumType == chksumtype.GSSAPI && len(c.Checksum) >= flagsAt+4 &&
		binary.LittleEndian.Uint32(c.Checksum[flagsAt:])&krb5.ContextFlagMutual != 0
}

// prove makes the AP-REP, which shows that the server could open the ticket and gives the context a
// key of its own.
func (c *acceptance) prove(req *messages.APReq) ([]byte, error) {
	session := req.Ticket.DecryptedEncPart.Key
	e, err := crypto.GetEtype(c.sealing.key.KeyType)
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	subkey, err := types.GenerateEncryptionKey(e)
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	c.sealing.key, c.sealing.subkey, c.sealing.seq = subkey, true, newSequence()
	part, err := asn1.Marshal(messages.EncAPRepPart{CTime: req.Authenticator.CTime, Cusec: req.Authenticator.Cusec,
		Subkey: subkey, SequenceNumber: int64(c.sealing.seq)})
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	sealed, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(part, asnAppTag.EncAPRepPart), session, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	reply, err := asn1.Marshal(messages.APRep{PVNO: iana.PVNO, MsgType: msgtype.KRB_AP_REP, EncPart: sealed})
	if err != nil {
		return nil, fmt.Errorf("AP-REP: %w", err)
	}
	return frame(tokenAPRep, asn1tools.AddASNAppTag(reply, asnAppTag.APREP))
}

// newSequence is where the numbers of tokens begin: not near the end of 32 bits, which some
// count in.
func newSequence() uint64 {
	var b [4]byte
	rand.Read(b[:]) // crypto/rand never fails
	return uint64(binary.BigEndian.Uint32(b[:]) & 0x3fffffff)
}

// offer offers the security layers.
func (c *acceptance) offer() ([]byte, bool, error) {
	c.stage = wantLayer
	token, err := c.sealing.wrap([]byte{layerNone, 0, 0, 0})
	return token, false, err
}

// finish takes the layer that the client chose, and judges whom it wants to be.
func (c *acceptance) finish(token []byte) error {
	choice, err := c.sealing.unwrap(token)
	if err != nil {
		return err
	}
	if len(choice) < 4 || choice[0] != layerNone {
		return errors.New("the client asks for a security layer, which was not offered")
	}
	if c.acceptor.Authorize == nil {
		return nil
	}
	return c.acceptor.Authorize(c.user, string(choice[4:]))
}
