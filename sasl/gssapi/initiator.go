package gssapi

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	krb5 "github.com/jcmturner/gokrb5/v8/gssapi"

	"holt/sasl"
)

// NewClient makes the client's side of a login at the service, as zookeeper/host. It asks the KDC
// for a ticket, which may take as long as the KDC does, or until ctx ends.
func NewClient(ctx context.Context, c Credentials, service string) (sasl.Client, error) {
	t, err := c.ticket(ctx, service)
	if err != nil {
		return nil, err
	}
	return newInitiation(t, true)
}

// initiation is the client's side.
type initiation struct {
	ticket  ticket
	mutual  bool
	auth    types.Authenticator
	sealing sealing
	step    int
}

func newInitiation(t ticket, mutual bool) (*initiation, error) {
	if !strong(t.key.KeyType) {
		return nil, fmt.Errorf("a key of encryption type %d: only those of AES are known", t.key.KeyType)
	}
	auth, err := types.NewAuthenticator(t.realm, t.name)
	if err != nil {
		return nil, fmt.Errorf("make authenticator: %w", err)
	}
	asked := uint32(krb5.ContextFlagInteg)
	if mutual {
		asked |= krb5.ContextFlagMutual
	}
	sum := make([]byte, 24)
	binary.LittleEndian.PutUint32(sum, 16) // the length of the channel bindings, which are none
	binary.LittleEndian.PutUint32(sum[20:], asked)
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: sum}
	return &initiation{ticket: t, mutual: mutual, auth: auth, sealing: sealing{key: t.key, seq: uint64(auth.SeqNumber)}}, nil
}

func (c *initiation) Step(challenge []byte) (token []byte, done bool, err error) {
	defer guard(&err)
	c.step++
	if c.step > 1 && !c.mutual {
		c.step++ // there is no AP-REP
	}
	switch c.step {
	case 1:
		token, err = c.request()
		return token, false, err
	case 2:
		return []byte{}, false, c.believe(challenge)
	case 3:
		token, err = c.choose(challenge)
		return token, err == nil, err
	}
	return nil, false, sasl.ErrOver
}

func (c *initiation) request() ([]byte, error) {
	req, err := messages.NewAPReq(c.ticket.ticket, c.ticket.key, c.auth)
	if err != nil {
		return nil, err
	}
	if c.mutual {
		types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	}
	b, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	return frame(tokenAPReq, b)
}

// believe sees by the AP-REP that the server could open the ticket.
func (c *initiation) believe(challenge []byte) error {
	b, err := unframe(tokenAPRep, challenge)
	if err != nil {
		return err
	}
	var rep messages.APRep
	if err := rep.Unmarshal(b); err != nil {
		return fmt.Errorf("AP-REP: %w", err)
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, c.ticket.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		return fmt.Errorf("AP-REP: %w", err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return fmt.Errorf("AP-REP: %w", err)
	}
	if part.CTime.Unix() != c.auth.CTime.Unix() || part.Cusec != c.auth.Cusec {
		return errors.New("AP-REP: it answers another request")
	}
	if len(part.Subkey.KeyValue) > 0 {
		c.sealing.key, c.sealing.subkey = part.Subkey, true
	}
	return nil
}

// choose takes no security layer, and asks to be nobody else.
func (c *initiation) choose(challenge []byte) ([]byte, error) {
	offer, err := c.sealing.unwrap(challenge)
	if err != nil {
		return nil, err
	}
	if len(offer) != 4 || offer[0]&layerNone == 0 {
		return nil, errors.New("the server insists on a security layer")
	}
	return c.sealing.wrap(bytes.Join([][]byte{{layerNone, 0, 0, 0}, []byte(c.ticket.name.PrincipalNameString() + "@" + c.ticket.realm)}, nil))
}
